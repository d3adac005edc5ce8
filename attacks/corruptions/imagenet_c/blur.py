"""Blur by severity. Lengths are those of the paper, reduced with the picture and read between pixels."""

import math

import torch
from torch import Generator, Tensor

from attacks.corruptions.imagenet_c.filters import correlate, disc, gaussian, motion, uniform
from attacks.corruptions.imagenet_c.sizes import relative_size
from attacks.corruptions.per_image import Image, severities
from attacks.corruptions.resampling import pixels, sample_bilinearly


@severities(1, 2, 3, 4, 6)
def gaussian_blur(image: Image, sigma: float, generator: Generator) -> Image:
    """Average with normal weights of standard deviation `sigma`."""
    return correlate(image, gaussian(sigma, relative_size(image)))


@severities((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5))
def defocus_blur(image: Image, level: tuple[int, float], generator: Generator) -> Image:
    """Average over a disc; level: (radius, smoothing of its edge)."""
    return correlate(image, disc(*level, relative_size(image)), "reflect")


@severities((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))
def motion_blur(image: Image, level: tuple[int, float], generator: Generator) -> Image:
    """Average along a line, at most 45 degrees from the horizontal; level: (half its length, standard deviation)."""
    return correlate(image, motion(*level, uniform(-45, 45, generator), relative_size(image)))


@severities((12, 0.01), (16, 0.01), (11, 0.02), (13, 0.02), (11, 0.03))
def zoom_blur(image: Image, level: tuple[int, float], generator: Generator) -> Image:
    """Average the image, counted twice, with enlargements of itself; level: (number with the image, their step)."""
    number, step = level
    factors = (1 + step * torch.arange(number, dtype=torch.float64))[:, None, None, None]
    centre = (torch.tensor(image.shape[-2:], dtype=torch.float64) - 1) / 2
    places = (pixels(*image.shape[-2:]) - centre) / factors + centre
    return (image + sample_bilinearly(image.expand(number, -1, -1, -1), places).sum(0)) / (number + 1)


@severities((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2))
def glass_blur(image: Image, level: tuple[float, int, int], generator: Generator) -> Image:
    """Swap pixels with near ones, between two Gaussian blurs; level: (sigma, largest move, repetitions)."""
    sigma, move, times = level
    size = relative_size(image)
    kernel = gaussian(sigma, size)
    blurred = correlate(image, kernel).flatten(1)
    order = _swap_neighbours(image.shape[-2:], move * size, times, generator)
    return correlate(blurred[:, order.flatten()].reshape(image.shape), kernel)


def _swap_neighbours(size: torch.Size, move: float, times: int, generator: Generator) -> Tensor:
    """Return the indices of the pixels after each was swapped with one at most `move` rows and columns away.

    If `move` is no whole number, the next larger whole number is used, and only so many pixels take part that the mean
    square of their moves is kept. Pixels `2 reach` apart cannot meet and are swapped together, then the next ones.
    """
    reach = math.ceil(move)
    share = (move / reach) ** 2
    order = torch.arange(size.numel()).reshape(size)
    first = torch.cartesian_prod(torch.arange(2 * reach), torch.arange(2 * reach)) + reach
    for top, left in first.tolist() * times:
        rows = torch.arange(top, size[0] - reach + 1, 2 * reach)[:, None]
        columns = torch.arange(left, size[1] - reach + 1, 2 * reach)
        shape = (len(rows), len(columns))
        moves = torch.randint(-reach, reach, (2, *shape), generator=generator)
        moves *= torch.rand(shape, generator=generator) < share
        other = rows + moves[0], columns + moves[1]
        order[other], order[rows, columns] = order[rows, columns], order[other]
    return order
