"""Subsets of the pixels that are removed at once: cells of a square grid, drawn by a stream of their own."""

from collections.abc import Sequence
from itertools import pairwise
from math import isqrt

import torch
from jaxtyping import Bool
from torch import Tensor

from srd.types import Cells, Maps, Samples

GRID = 9
"""Cells along each side of the image."""
SHARE = 0.2
"""Probability with which a random subset removes a cell."""
SIZES = (8, 20, 40)
"""Cells that the subsets of fixed sizes remove."""


def random_subsets(generator: torch.Generator, n: int, grid: int = GRID) -> Cells:
    """Return n subsets of the cells, in which each cell is removed with probability 0.2."""
    return torch.rand((n, grid * grid), generator=generator) < SHARE


def single_cells(grid: int = GRID) -> Cells:
    """Return the subsets of one cell."""
    return torch.eye(grid * grid, dtype=torch.bool)


def sized_subsets(generator: torch.Generator, n: int, sizes: Sequence[int] = SIZES, grid: int = GRID) -> Cells:
    """Return n subsets of each size, those of the first size first, drawn without replacement of cells."""
    drawn = torch.rand((len(sizes) * n, grid * grid), generator=generator)
    places = drawn.argsort(dim=1, stable=True).argsort(dim=1)
    subsets: Tensor = places < torch.tensor(sizes).repeat_interleave(n)[:, None]
    return subsets


def masks_of_cells(cells: Cells, h: int, w: int) -> Bool[Tensor, "subsets h w"]:
    """Return the pixels of each subset.

    The cell in row i of g holds the rows of pixels from floor(i h / g) to floor((i + 1) h / g), without the last.
    """
    grid = isqrt(cells.shape[1])
    rows, columns = (_cells_along(side, grid).to(cells.device) for side in (h, w))
    masks: Tensor = cells.unflatten(1, (grid, grid))[:, rows][:, :, columns]
    return masks


def sums_over_cells(maps: Maps, cells: Cells) -> Samples:
    """Return the sum of each map over the pixels of each subset, in float64."""
    grid = isqrt(cells.shape[1])
    by_row = _sums(maps.double().transpose(1, 2), grid)
    by_cell = _sums(by_row.transpose(1, 2), grid).flatten(1)
    return (by_cell[:, None] * cells.to(maps.device)).sum(2)


def _cells_along(side: int, grid: int) -> Tensor:
    """Return the cell in which each pixel of an axis lies."""
    ends = torch.arange(1, grid + 1) * side // grid
    return torch.searchsorted(ends, torch.arange(side), right=True)


def _sums(values: Tensor, grid: int) -> Tensor:
    """Return the sums over the cells of the last axis: (n, m, side) -> (n, m, grid)."""
    ends = [cell * values.shape[2] // grid for cell in range(grid + 1)]
    return torch.stack([values[:, :, low:high].sum(2) for low, high in pairwise(ends)], 2)
