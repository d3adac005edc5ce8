"""Noise without knowledge of the network, and the controls that every attack has to beat."""

import torch
from torch import Generator, Tensor

from attacks.corruptions.per_image import Image, each_image, standard_normal

ROUNDS = 50  # how often the step is lengthened


@each_image
def gaussian_noise(image: Image, sigma: float, generator: Generator) -> Image:
    """Add normal noise of standard deviation `sigma` to every channel."""
    return image + sigma * standard_normal(image, generator)


@each_image
def uniform_noise(image: Image, sigma: float, generator: Generator) -> Image:
    """Add uniform noise of standard deviation `sigma`, which has half width sqrt(3) sigma, to every channel."""
    return image + 3**0.5 * sigma * (2 * _uniform(image.shape, image, generator) - 1)


@each_image
def laplace_noise(image: Image, sigma: float, generator: Generator) -> Image:
    """Add Laplace noise of standard deviation `sigma` to every channel: the difference of two exponentials."""
    drawn = torch.empty(2, *image.shape).exponential_(generator=generator).to(image)
    return image + sigma / 2**0.5 * (drawn[0] - drawn[1])


@each_image
def speckle_noise(image: Image, sigma: float, generator: Generator) -> Image:
    """Multiply every value by 1 + normal noise of standard deviation `sigma`."""
    return image + image * sigma * standard_normal(image, generator)


@each_image
def shot_noise(image: Image, sigma: float, generator: Generator) -> Image:
    """Count photons (Poisson); a white value has 1 / `sigma`^2 photons, with standard deviation `sigma`."""
    return count_photons(image, sigma**-2, generator)


def count_photons(image: Image, photons: float, generator: Generator) -> Image:
    """Return the image by a count of its photons; a white value has `photons` on average."""
    counts = torch.poisson(image.double().cpu() * photons, generator=generator)
    return (counts / photons).to(image)


@each_image
def salt_and_pepper(image: Image, amount: float, generator: Generator) -> Image:
    """Turn the share `amount` of the pixels, drawn one by one, black or white in all channels."""
    return impulses(image, amount, 1, generator)


def impulses(image: Image, amount: float, channels: int, generator: Generator) -> Image:
    """Turn values 0 or 1 with probability `amount`.

    With 1 channel the values of a pixel change together, with all channels each value alone.
    """
    drawn = _uniform((channels, *image.shape[1:]), image, generator)
    return image.where(drawn >= amount, (drawn < amount / 2).to(image))


@each_image
def random_sign(image: Image, epsilon: float, generator: Generator) -> Image:
    """Move every channel of every pixel by `epsilon` up or down at random: the control for L-inf attacks."""
    return image + epsilon * standard_normal(image, generator).sign()


@each_image
def random_direction(image: Image, epsilon: float, generator: Generator) -> Image:
    """Move the image by L2 norm `epsilon` in a uniformly random direction: the control for L2 attacks.

    A longer step compensates for the cut to [0, 1]. The norm is smaller than `epsilon` only where the cube ends before
    it is reached.
    """
    direction = standard_normal(image, generator)
    length, largest = epsilon / direction.norm(), torch.finfo(image.dtype).max
    for _ in range(ROUNDS):  # the norm grows ever more slowly with the length, so that this never overshoots
        length = (length * epsilon / _change(image, length * direction).norm()).clamp(max=largest)
    return image + _change(image, length * direction)


def _change(image: Image, step: Image) -> Image:
    return (image + step).clamp(0, 1) - image


def _uniform(shape: tuple[int, ...], image: Image, generator: Generator) -> Tensor:
    return torch.rand(shape, generator=generator).to(image)
