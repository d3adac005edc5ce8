"""Random textures: clouds and ice."""

import torch
from torch import Generator, Tensor

from attacks.corruptions.imagenet_c.filters import correlate, motion, uniform
from attacks.corruptions.imagenet_c.sizes import Layer


def plasma(height: int, width: int, decay: float, generator: Generator) -> Layer:
    """Return fractal clouds between 0 and 1, (1, h, w), by midpoint displacement on a torus (diamond-square).

    Each of the two steps of every doubling adds uniform noise. Its size is divided by `decay`^2 from one doubling to
    the next.
    """
    points, size = torch.zeros(1, 1), 1.0
    while len(points) < max(height, width):
        points = _double(points, size, generator)
        size /= decay**2
    points -= points.min()
    return (points / points.max())[None, :height, :width]


def _double(corners: Tensor, size: float, generator: Generator) -> Tensor:
    """Return the corners with centres, the means of four corners, and sides, the means of two corners and two centres.

    All new points are moved by noise.
    """
    n = len(corners)
    noise = size * (2 * torch.rand(3, n, n, generator=generator) - 1)
    below, right = corners.roll(-1, 0), corners.roll(-1, 1)
    centres = (corners + below + right + below.roll(-1, 1)) / 4 + noise[0]
    of_rows = (corners + right + centres + centres.roll(1, 0)) / 4 + noise[1]
    of_columns = (corners + below + centres + centres.roll(1, 1)) / 4 + noise[2]
    even, odd = torch.stack([corners, of_rows], 2), torch.stack([of_columns, centres], 2)
    return torch.stack([even, odd], 1).reshape(2 * n, 2 * n)


DIRECTIONS = 3  # directions of the needles
MEAN, DEVIATION = (0.53, 0.62, 0.67), 0.13  # means of red, green and blue, and their deviation


def ice(height: int, width: int, generator: Generator) -> Layer:
    """Return needles of ice in patches of one direction each, pale blue: (3, h, w)."""
    first = uniform(0, 180, generator)
    layers = [_needles(height, width, first + 180 * k / DIRECTIONS, generator) for k in range(DIRECTIONS)]
    crystals = torch.stack(layers).sum(0)
    standard = (crystals - crystals.mean()) / crystals.std()
    return (torch.tensor(MEAN)[:, None, None] + DEVIATION * standard).clamp(0, 1)


def _needles(height: int, width: int, degrees: float, generator: Generator) -> Layer:
    points = torch.randn(1, height, width, generator=generator)
    line = motion(12, 12, degrees, 1.0)
    needles: Layer = correlate(points, line) / line.norm()
    patches = plasma(height, width, 1.8, generator) ** 3
    return patches * (1 + needles).clamp(min=0)
