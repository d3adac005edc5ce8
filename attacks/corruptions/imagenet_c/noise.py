"""Noise by severity. It acts on single pixels, for pictures of any size."""

from torch import Generator

from attacks.corruptions.noise import count_photons, impulses
from attacks.corruptions.per_image import Image, severities, standard_normal


@severities(0.08, 0.12, 0.18, 0.26, 0.38)
def gaussian_noise(image: Image, sigma: float, generator: Generator) -> Image:
    """Add normal noise of standard deviation `sigma`."""
    return image + sigma * standard_normal(image, generator)


@severities(60, 25, 12, 5, 3)
def shot_noise(image: Image, photons: float, generator: Generator) -> Image:
    """Count photons (Poisson); a white value has `photons` on average."""
    return count_photons(image, photons, generator)


@severities(0.03, 0.06, 0.09, 0.17, 0.27)
def impulse_noise(image: Image, amount: float, generator: Generator) -> Image:
    """Turn the share `amount` of the values of each channel 0 or 1."""
    return impulses(image, amount, len(image), generator)


@severities(0.15, 0.2, 0.35, 0.45, 0.6)
def speckle_noise(image: Image, sigma: float, generator: Generator) -> Image:
    """Multiply every value by 1 + normal noise of standard deviation `sigma`."""
    return image + image * sigma * standard_normal(image, generator)
