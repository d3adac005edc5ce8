"""Pixels of which nothing is known are left out of localisation, as if map and mask did not have them."""

import math

import pytest
import torch
from slow_metrics import SLOW

from srd.metrics._maps import known_pixels, put_last
from srd.metrics.pointing_game_near import TOLERANCE
from srd.registry import METRICS

OF_A_LIST = ("attribution_localisation", "pointing_game", "rank_accuracy", "roc_auc")
"""The metrics that do not ask where a pixel lies, so that a pixel can be dropped."""
KINDS = {
    "smooth": lambda stream: torch.randn(7, 9, generator=stream),
    "tied": lambda stream: torch.randint(-2, 3, (7, 9), generator=stream).float(),
    "rectified": lambda stream: torch.randn(7, 9, generator=stream).clamp(min=0),
    "positive": lambda stream: torch.rand(7, 9, generator=stream) + 1,
    "tiny": lambda stream: torch.randint(0, 3, (7, 9), generator=stream) * 1e-38,
}


def drawn(kind: str, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    stream = torch.Generator().manual_seed(seed)
    ignored = torch.rand(7, 9, generator=stream) < 0.3
    return KINDS[kind](stream), (torch.rand(7, 9, generator=stream) < 0.4) & ~ignored, ignored


def near_by_loops(map_: torch.Tensor, mask: torch.Tensor, ignored: torch.Tensor) -> float:
    places = [(y, x) for y in range(7) for x in range(9) if not ignored[y, x]]
    top = max(places, key=lambda place: float(map_[place]))  # the first among equals
    return float(any(mask[place] and math.dist(place, top) < TOLERANCE * 7 for place in places))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", OF_A_LIST)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_score_is_that_of_the_other_pixels(name: str, kind: str, dtype: torch.dtype) -> None:
    for seed in range(20):
        map_, mask, ignored = drawn(kind, seed)
        map_ = map_.to(dtype)
        expected = SLOW[name](map_[~ignored][None].double().numpy(), mask[~ignored][None].numpy())
        found = METRICS[name](map_[None], mask[None], ignored[None])[0]
        assert float(found) == pytest.approx(expected, abs=1e-6, nan_ok=True)


@pytest.mark.parametrize("kind", KINDS)
def test_near_means_near_the_highest_pixel_that_is_known(kind: str) -> None:
    for seed in range(20):
        map_, mask, ignored = drawn(kind, seed)
        found = METRICS["pointing_game_near"](map_[None], mask[None], ignored[None])
        assert found.tolist() == [near_by_loops(map_, mask, ignored)]


@pytest.mark.parametrize("name", [*OF_A_LIST, "pointing_game_near"])
def test_what_stands_at_ignored_pixels_does_not_matter(name: str) -> None:
    for seed in range(20):
        map_, mask, ignored = drawn("smooth", seed)
        scores = [
            METRICS[name](map_.masked_fill(ignored, value)[None], (mask | other)[None], ignored[None])
            for value in (-9.0, 0.0, 9.0)
            for other in (torch.zeros_like(ignored), ignored)
        ]
        assert torch.stack(scores).unique(dim=0).shape[0] == 1


@pytest.mark.parametrize("name", [*OF_A_LIST, "pointing_game_near"])
def test_nothing_ignored_is_no_argument(name: str) -> None:
    map_, mask, _ = drawn("smooth", 3)
    none = torch.zeros_like(mask)[None]
    assert torch.equal(METRICS[name](map_[None], mask[None], none), METRICS[name](map_[None], mask[None]))


@pytest.mark.parametrize("name", [*OF_A_LIST, "pointing_game_near"])
def test_an_image_of_which_nothing_is_known_has_no_score(name: str) -> None:
    map_, mask, _ = drawn("smooth", 3)
    assert METRICS[name](map_[None], mask[None], torch.ones_like(mask)[None]).isnan().all()


@pytest.mark.parametrize("name", ["pointing_game", "rank_accuracy", "roc_auc", "pointing_game_near"])
def test_a_map_that_is_constant_where_it_counts_has_no_order(name: str) -> None:
    map_, mask, ignored = drawn("smooth", 4)
    assert METRICS[name](map_.where(ignored, 2.0)[None], mask[None], ignored[None]).isnan().all()


def test_ignored_pixels_come_last() -> None:
    for kind in KINDS:
        map_, mask, ignored = drawn(kind, 5)
        last = put_last(map_[None], ignored[None])[0]
        assert (last[ignored] < map_[~ignored].min()).all()
        assert torch.equal(last[~ignored], map_[~ignored])
    assert torch.equal(known_pixels(mask | ignored, ignored), mask)
