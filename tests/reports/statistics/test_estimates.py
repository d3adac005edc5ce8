"""Intervals, and the reasons why there is none."""

import math

import numpy as np
import pytest

from reports import statistics


def test_wilson_interval_is_the_formula() -> None:
    hits, n, z = 7, 9, 1.959963984540054
    share = hits / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    assert statistics.wilson_interval(hits, n) == pytest.approx((middle - half, middle + half), abs=1e-12)


@pytest.mark.parametrize("hits", [0, 10])
def test_wilson_interval_has_width_at_the_ends(hits: int) -> None:
    low, high = statistics.wilson_interval(hits, 10)
    assert high - low > 0.2


def test_bootstrap_interval_is_the_same_each_time() -> None:
    values = np.random.default_rng(1).normal(size=30)
    assert statistics.bootstrap_interval(values) == statistics.bootstrap_interval(values)


def test_bootstrap_interval_covers_its_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    intervals = [statistics.bootstrap_interval(rng.normal(size=40)) for _ in range(120)]
    assert np.mean([low <= 0 <= high for low, high in intervals]) > 0.88


@pytest.mark.parametrize(
    ("values", "why"),
    [([0.1, 0.2, 0.3, 0.4], "fewer than 5 images"), ([0.5] * 9, "all values are equal")],
)
def test_an_interval_that_cannot_be_has_a_reason(values: list[float], why: str) -> None:
    estimate = statistics.mean(np.array(values), "unit", {})
    assert estimate.value == pytest.approx(np.mean(values))
    assert (estimate.low, estimate.high, estimate.interval) == (None, None, "none")
    assert why in estimate.reason


def test_nothing_measured_has_a_reason() -> None:
    estimate = statistics.mean(np.array([]), "unit", {"the mask is empty": 3})
    assert (estimate.value, estimate.n, estimate.reason) == (None, 0, "the mask is empty")
    assert statistics.rate(np.array([], bool), "unit", {}).reason == "no image is in this set"
