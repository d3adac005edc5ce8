"""Every metric against its slow definition, on maps of signs, of ties, of few pixels and of odd sides."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from metric_arguments import arguments
from slow_metrics import SLOW, slow_scores
from torch import Tensor
from toys import normal, uniform

from srd.entries import MetricEntry
from srd.registry import METRICS
from srd.types import Maps

N = 5


def sparse(maps: Maps) -> Maps:
    return maps.where(maps > 1.9, 0)


KINDS: dict[str, Callable[[Maps], Maps]] = {
    "signed": lambda maps: maps,
    "tied": lambda maps: (2 * maps).round(),
    "not negative": lambda maps: maps.clamp(min=0),
    "sparse": sparse,
    "small": lambda maps: 1e-20 * maps,
}
every_metric = pytest.mark.parametrize("entry", METRICS.values(), ids=METRICS)


def given(entry: MetricEntry, kind: str, size: tuple[int, int], dtype: torch.dtype) -> tuple[Tensor, ...]:
    """The metric's arguments."""
    maps = KINDS[kind](normal(N, *size)).to(dtype)
    others = KINDS[kind](0.6 * normal(N, *size) + normal(N, *size, seed=1)).to(dtype)
    masks = uniform(N, *size, seed=2) < torch.tensor([0.02, 0.2, 0.5, 0.9, 0.3])[:, None, None]
    return arguments(entry, maps, others, masks)


def test_every_metric_has_a_slow_definition() -> None:
    assert set(SLOW) == set(METRICS)


@every_metric
@pytest.mark.parametrize("size", [(14, 17), (21, 14)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_metric_is_its_definition(entry: MetricEntry, kind: str, size: tuple[int, int]) -> None:
    arguments = given(entry, kind, size, torch.float64)
    scores = entry(*arguments).numpy()
    assert not np.isnan(scores).all()
    np.testing.assert_allclose(scores, slow_scores(entry.name, *arguments), rtol=0, atol=1e-9)


@every_metric
def test_of_maps_in_single_precision_too(entry: MetricEntry) -> None:
    arguments = given(entry, "signed", (16, 19), torch.float32)
    expected = slow_scores(entry.name, *(each.double() if each.is_floating_point() else each for each in arguments))
    np.testing.assert_allclose(entry(*arguments).numpy(), expected, rtol=2e-6, atol=2e-6)
