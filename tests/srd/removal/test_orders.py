"""Removal orders against sorting by hand, and the masks that they give."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from toys import generator, normal

from srd.removal.orders import fractions_of, removal_masks, removal_orders
from srd.types import Maps

KINDS: dict[str, Callable[[Maps], Maps]] = {
    "signed": lambda maps: maps,
    "tied": torch.round,
    "mostly zero": torch.relu,
    "constant": torch.zeros_like,
}


def permutations(n: int, pixels: int, seed: int = 0) -> Tensor:
    draw = generator(seed)
    return torch.stack([torch.randperm(pixels, generator=draw) for _ in range(n)])


def slow_order(values: list[float], ties: list[int]) -> list[int]:
    """The pixels one by one, always the highest that is left; among equals the one that comes first in `ties`."""
    left, order = set(range(len(values))), []
    while left:
        order.append(max(left, key=lambda pixel: (values[pixel], -ties.index(pixel))))
        left.remove(order[-1])
    return order


@pytest.mark.parametrize("kind", KINDS)
def test_an_order_is_that_of_choosing_the_highest_again_and_again(kind: str) -> None:
    maps, ties = KINDS[kind](normal(3, 6, 7)), permutations(3, 42)
    expected = [slow_order(*pair) for pair in zip(maps.flatten(1).tolist(), ties.tolist(), strict=True)]
    assert removal_orders(maps, ties).tolist() == expected
    assert removal_orders(maps.float(), ties).tolist() == expected


def test_a_constant_map_removes_in_the_order_of_the_tie_breaker_and_minus_zero_is_zero() -> None:
    ties = permutations(2, 20)
    assert torch.equal(removal_orders(torch.zeros(2, 4, 5), ties), ties)
    assert torch.equal(removal_orders(torch.tensor([0.0, -0.0]).repeat(2, 4, 5)[:, :, :5], ties), ties)


def test_pixels_without_a_number_come_last() -> None:
    maps = torch.tensor([[[1.0, torch.nan], [torch.inf, -torch.inf]]])
    assert removal_orders(maps, torch.arange(4)[None]).tolist() == [[2, 0, 3, 1]]


def test_an_order_depends_on_its_row_alone_and_on_no_increasing_change() -> None:
    maps, ties = normal(4, 8, 9).relu(), permutations(4, 72)
    together = removal_orders(maps, ties)
    assert torch.equal(
        torch.cat([removal_orders(*(each[k : k + 1] for each in (maps, ties))) for k in range(4)]), together
    )
    assert torch.equal(removal_orders(3 * maps.exp() - 1, ties), together)
    assert not torch.equal(removal_orders(maps, permutations(4, 72, seed=1)), together)


def counts(size: tuple[int, int], steps: int) -> list[int]:
    order = permutations(1, size[0] * size[1])[0]
    return removal_masks(order, fractions_of(steps), size).sum((1, 2)).tolist()


def test_steps_are_equal_shares_and_end_with_nothing_and_all() -> None:
    assert fractions_of(4) == (0, 0.25, 0.5, 0.75, 1)
    assert counts((10, 10), 10) == list(range(0, 101, 10))
    assert counts((7, 7), 4) == [0, 12, 24, 37, 49]
    assert counts((3, 5), 1) == [0, 15]


@pytest.mark.parametrize("steps", [3, 7, 10])
def test_a_mask_removes_the_first_of_the_order_and_the_reversed_order_the_rest(steps: int) -> None:
    maps: Maps = normal(1, 6, 7)
    order = removal_orders(maps, permutations(1, 42))[0]
    most, least = (removal_masks(each, fractions_of(steps), (6, 7)) for each in (order, order.flip(0)))
    for step, fraction in enumerate(fractions_of(steps)):
        first = set(order[: round(fraction * 42)].tolist())
        assert {place for place in range(42) if most[step].flatten()[place]} == first
    assert torch.equal(least.flip(0), ~most), "what is removed last is put back first"
    assert bool((most[1:] | ~most[:-1]).all()), "removed pixels stay removed"
