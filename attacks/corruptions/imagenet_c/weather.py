"""Snow, frost, fog and spatter by severity: layers drawn at the paper's size and reduced with the picture."""

import math

import numpy as np
import torch
from scipy import ndimage
from torch import Generator
from torch.nn import functional

from attacks.corruptions.imagenet_c.colour import like, luma
from attacks.corruptions.imagenet_c.filters import correlate, motion, smooth, uniform
from attacks.corruptions.imagenet_c.sizes import Layer, canvas, fit_to_image
from attacks.corruptions.imagenet_c.textures import ice, plasma
from attacks.corruptions.per_image import Image, severities


@severities(
    ((0.1, 0.3, 3, 0.5), (10, 4), 0.8),
    ((0.2, 0.3, 2, 0.5), (12, 4), 0.7),
    ((0.55, 0.3, 4, 0.9), (12, 8), 0.7),
    ((0.55, 0.3, 4.5, 0.85), (12, 8), 0.65),
    ((0.55, 0.3, 2.5, 0.85), (12, 12), 0.55),
)
def snow(
    image: Image, level: tuple[tuple[float, float, float, float], tuple[int, float], float], generator: Generator
) -> Image:
    """Let flakes fall before a whitened picture.

    Level: flakes are normal noise (mean, standard deviation, enlargement, threshold), blurred by motion (half the
    length, standard deviation). The last number is the share of the picture's colours that remains.
    """
    of_flakes, (length, sigma), kept = level
    flakes = _flakes(canvas(image), *of_flakes, generator)
    line = motion(length, sigma, uniform(-135, -45, generator), 1.0)
    falling = fit_to_image(correlate(flakes, line), image)
    whitened = torch.maximum(image, 1.5 * luma(image) + 0.5)
    return kept * image + (1 - kept) * whitened + falling + falling.rot90(2, (-2, -1))


def _flakes(
    size: tuple[int, int], mean: float, deviation: float, enlargement: float, threshold: float, generator: Generator
) -> Layer:
    small = [math.ceil(side / enlargement) for side in size]
    noise = mean + deviation * torch.randn(1, *small, generator=generator)
    flakes = functional.interpolate(noise[None], size, mode="bilinear", align_corners=True)[0]
    return flakes.where(flakes >= threshold, 0).clamp(0, 1)


@severities((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75))
def frost(image: Image, level: tuple[float, float], generator: Generator) -> Image:
    """Lay ice over the picture; level: (weight of the picture, weight of the ice)."""
    of_image, of_ice = level
    return of_image * image + of_ice * like(image, fit_to_image(ice(*canvas(image), generator), image))


@severities((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4))
def fog(image: Image, level: tuple[float, float], generator: Generator) -> Image:
    """Add clouds and keep the brightness; level: (thickness, decay of the clouds from coarse to fine)."""
    thickness, decay = level
    brightest = image.max()
    foggy = image + thickness * fit_to_image(plasma(*canvas(image), decay, generator), image)
    return foggy * brightest / (brightest + thickness)


WATER, MUD = (175, 238, 238), (63, 42, 20)
DEEP = 20  # pixels from the edge of a drop to its full depth
RELIEF = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]])  # light from the lower right on slopes


@severities(
    (0.65, 0.3, 4, 0.69, 0.6, False),
    (0.65, 0.3, 3, 0.68, 0.6, False),
    (0.65, 0.3, 2, 0.68, 0.5, False),
    (0.65, 0.3, 1, 0.65, 1.5, True),
    (0.67, 0.4, 1, 0.65, 1.5, True),
)
def spatter(image: Image, level: tuple[float, float, float, float, float, bool], generator: Generator) -> Image:
    """Put drops of water or of mud on the lens.

    Level: drops are normal noise (mean, standard deviation, standard deviation of its smoothing) above a threshold;
    then the brightness of water or the smoothing of mud, and whether it is mud.
    """
    mean, deviation, sigma, threshold, last, is_mud = level
    liquid = smooth(mean + deviation * torch.randn(1, *canvas(image), generator=generator), sigma)
    if is_mud:
        mud = fit_to_image(_thick(liquid > threshold, last), image)
        return image * (1 - mud) + mud * like(image, _colour(MUD)).to(image)
    water = fit_to_image(_glistening(liquid, threshold, last), image)
    return image + water * like(image, _colour(WATER)).to(image)


def _thick(drops: Layer, sigma: float) -> Layer:
    mud = smooth(drops.float(), sigma)
    return mud.where(mud >= 0.8, 0)


def _glistening(liquid: Layer, threshold: float, brightest: float) -> Layer:
    """Return the light on drops: the relief of their depth, where all depths are equally frequent."""
    drops = (liquid[0] >= threshold).numpy()
    edges = drops & ~ndimage.binary_erosion(drops, border_value=1)
    distance = ndimage.distance_transform_edt(~edges)
    depth = ndimage.uniform_filter(np.minimum(distance, DEEP), 3).astype(np.uint8)
    shallower = np.cumsum(np.bincount(depth.ravel())) - np.count_nonzero(depth == depth.min())
    height = (shallower / max(1, shallower[-1]))[depth]
    light = ndimage.uniform_filter(ndimage.correlate(height, RELIEF).clip(0, 1), 3)
    water = liquid * torch.from_numpy(drops * light).to(liquid)
    return brightest * water / water.max().clamp(min=torch.finfo(water.dtype).tiny)


def _colour(of: tuple[int, int, int]) -> Layer:
    return torch.tensor(of)[:, None, None] / 255
