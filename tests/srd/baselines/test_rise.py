"""RISE against its definition, mask by mask, and what it becomes as masks grow."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from toys import classes, demo_inputs, demo_network, generator, generators, normal, relative_error, small

from srd.baselines.rise import rise


def mask(cells: int, size: tuple[int, int], draw: torch.Generator) -> Tensor:
    """Petsiuk et al. 2018, section 3.2, pixel by pixel: a pixel's cell centres around it, in proportion."""
    sides = [-(-side // cells) for side in size]
    grid = (torch.rand((1, 1, cells, cells), generator=draw) < 0.5).double()[0, 0]
    shift = [int(torch.randint(side, (), generator=draw)) for side in sides]
    values = torch.zeros(size, dtype=torch.float64)
    for y in range(size[0]):
        for x in range(size[1]):
            at = [
                (p + s + 0.5) * cells / ((cells + 1) * side) - 0.5
                for p, s, side in zip((y, x), shift, sides, strict=True)
            ]
            values[y, x] = between(grid, *(min(max(place, 0), cells - 1) for place in at))
    return values


def between(grid: Tensor, y: float, x: float) -> float:
    top, left = min(int(y), len(grid) - 2), min(int(x), len(grid) - 2)
    down, right = y - top, x - left
    upper = (1 - right) * grid[top, left] + right * grid[top, left + 1]
    lower = (1 - right) * grid[top + 1, left] + right * grid[top + 1, left + 1]
    return float((1 - down) * upper + down * lower)


def mask_by_mask(network: nn.Module, image: Tensor, label: Tensor, draw: torch.Generator, n: int) -> Tensor:
    masks = [mask(3, (image.shape[1], image.shape[2]), draw) for _ in range(n)]
    with torch.no_grad():
        kept = [network((image * each)[None]).softmax(1)[0, label] * each for each in masks]
    return torch.stack(kept).sum(0) / (n * 0.5)


@pytest.mark.parametrize("batch", [1, 2, 5, 100])
def test_it_is_its_definition_whatever_passes_at_once(batch: int) -> None:
    network, inputs, target = small(), normal(2, 3, 10, 8), classes(2)
    rows = zip(inputs, target, generators(2), strict=True)
    expected = torch.stack([mask_by_mask(network, *row, 7) for row in rows])
    maps = rise(network, inputs, target, generators(2), masks=7, cells=3, batch=batch)
    torch.testing.assert_close(maps, expected, rtol=1e-6, atol=0)  # masks are drawn and enlarged in float32


def test_of_a_network_that_reads_nothing_it_is_the_probability_itself() -> None:
    head = nn.Linear(3 * 8 * 8, 4, bias=False, dtype=torch.float64)
    nn.init.zeros_(head.weight)
    network = nn.Sequential(nn.Flatten(), head)
    maps = rise(network, normal(1, 3, 8, 8), classes(1), [generator()], masks=20000, cells=4)
    assert relative_error(maps, torch.full((1, 8, 8), 0.25, dtype=torch.float64)) < 0.05


class Centre(nn.Module):
    """Sure of class 1 as far as the four central pixels are visible."""

    def forward(self, inputs: Tensor) -> Tensor:
        seen = inputs[:, :, 3:5, 3:5].mean((1, 2, 3))
        return torch.stack([torch.zeros_like(seen), 8 * seen - 4], 1)


def test_it_points_to_what_the_network_reads() -> None:
    inputs = torch.ones(1, 3, 8, 8)
    maps = rise(Centre(), inputs, torch.tensor([1]), [generator()], masks=4000, cells=4)
    assert int(maps.flatten().argmax()) in {27, 28, 35, 36}


def test_more_masks_bring_maps_of_different_streams_together() -> None:
    network, (inputs, target) = demo_network("resnet"), demo_inputs(1)

    def gap(masks: int) -> float:
        maps = [rise(network, inputs, target, [generator(seed)], masks=masks) for seed in (0, 1)]
        return relative_error(*maps)

    assert gap(1024) < 0.5 * gap(32)


def test_it_needs_streams() -> None:
    with pytest.raises(ValueError, match="generator"):
        rise(small(), normal(1, 3, 8, 8), classes(1))


def test_masks_of_any_size_fit() -> None:
    for size in ((7, 7), (9, 13), (2, 30)):
        maps = functional.relu(rise(small(), normal(1, 3, *size), classes(1), generators(1), masks=3))
        assert maps.shape == (1, *size)


@pytest.mark.parametrize("options", [{"visible": 0.0}, {"visible": 1.5}, {"cells": 9}])
def test_what_makes_no_masks_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        rise(small(), normal(1, 3, 8, 8), classes(1), generators(1), **options)  # type: ignore[arg-type]
