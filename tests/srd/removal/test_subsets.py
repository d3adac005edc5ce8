"""Subsets of cells: how they are drawn, which pixels they hold, and sums over them."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import pytest
import torch
from scipy.stats import binomtest, chisquare
from toys import generator, normal

from srd.removal.subsets import (
    GRID,
    SHARE,
    SIZES,
    masks_of_cells,
    random_subsets,
    single_cells,
    sized_subsets,
    sums_over_cells,
)
from srd.types import Cells

DRAWN: dict[str, Callable[[torch.Generator], Cells]] = {
    "random": partial(random_subsets, n=200),
    "sizes": partial(sized_subsets, n=50),
}


@pytest.mark.parametrize("kind", DRAWN)
def test_subsets_are_a_function_of_the_stream(kind: str) -> None:
    first, again, other = (DRAWN[kind](generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len({tuple(row) for row in first.tolist()}) == len(first)
    draw = generator(0)
    assert torch.equal(DRAWN[kind](draw), first)
    assert not torch.equal(DRAWN[kind](draw), first), "the stream goes on"


def test_each_cell_is_removed_with_probability_a_fifth_and_independently_of_its_neighbour() -> None:
    subsets = random_subsets(generator(3), 2000)
    assert subsets.shape == (2000, 81)
    assert SHARE == 0.2
    assert binomtest(int(subsets.sum()), subsets.numel(), 0.2).pvalue > 0.01
    both = subsets[:, 1:] & subsets[:, :-1]
    assert binomtest(int(both.sum()), both.numel(), 0.04).pvalue > 0.01


def test_sizes_are_exact_in_blocks_and_every_cell_is_as_likely() -> None:
    subsets = sized_subsets(generator(4), 50)
    assert subsets.sum(1).tolist() == [size for size in SIZES for _ in range(50)]
    many = sized_subsets(generator(4), 3000, (20,))
    assert chisquare(many.sum(0).numpy()).pvalue > 0.01


def test_single_cells_are_each_cell_once() -> None:
    assert torch.equal(single_cells(3), torch.eye(9) > 0)
    assert single_cells().shape == (GRID**2, GRID**2)


@pytest.mark.parametrize("size", [(9, 9), (48, 48), (32, 33), (224, 224), (10, 17), (5, 4)])
@pytest.mark.parametrize("grid", [3, 9])
def test_cells_share_out_the_pixels(size: tuple[int, int], grid: int) -> None:
    h, w = size
    masks = masks_of_cells(single_cells(grid), h, w)
    assert bool((masks.sum(0) == 1).all()), "each pixel lies in one cell"
    for cell, mask in enumerate(masks):
        row, column = divmod(cell, grid)
        expected = torch.zeros(h, w, dtype=torch.bool)
        expected[row * h // grid : (row + 1) * h // grid, column * w // grid : (column + 1) * w // grid] = True
        assert torch.equal(mask, expected)
    heights = [int(mask.any(1).sum()) for mask in masks[::grid]]
    assert max(heights) - min(heights) <= 1


@pytest.mark.parametrize("kind", DRAWN)
@pytest.mark.parametrize("size", [(48, 48), (32, 33), (7, 40)])
def test_a_subset_is_the_union_of_its_cells_and_its_sum_that_of_its_pixels(kind: str, size: tuple[int, int]) -> None:
    cells, maps = DRAWN[kind](generator()), normal(3, *size)
    single, masks = masks_of_cells(single_cells(), *size), masks_of_cells(cells, *size)
    sums = sums_over_cells(maps, cells)
    assert sums.shape == (3, len(cells))
    for subset in range(0, len(cells), 17):
        assert torch.equal(masks[subset], single[cells[subset]].any(0))
        torch.testing.assert_close(sums[:, subset], maps[:, masks[subset]].sum(1))


def test_sums_are_in_double_precision_and_exactly_zero_where_the_map_is() -> None:
    maps = torch.zeros(1, 30, 31)
    maps[0, 2, 2] = 1 / 3
    sums = sums_over_cells(maps, random_subsets(generator(), 60))
    assert sums.dtype == torch.float64
    assert set(sums.flatten().tolist()) == {0.0, float(torch.tensor(1 / 3))}


def test_sums_of_a_row_depend_on_no_other() -> None:
    maps, cells = normal(5, 33, 40).float(), random_subsets(generator(), 30)
    together = sums_over_cells(maps, cells)
    for length in (1, 2):
        parts = [sums_over_cells(maps[k : k + length], cells) for k in range(0, 5, length)]
        assert torch.equal(torch.cat(parts), together)
    assert all(low <= high for low, high in pairwise(SIZES))
