"""One-sided bounds: against statsmodels, by kind of statistic; and how often they miss."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom, bootstrap, multinomial
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

from reports.statistics import Bound, Kind, bound_above, bound_below

Draw = Callable[[np.random.Generator, tuple[int, int]], NDArray[np.float64]]

SAMPLES: dict[str, tuple[Draw, float]] = {
    "Beta(8, 1)": (lambda rng, shape: rng.beta(8, 1, shape), 8 / 9),
    "10 % of images fail": (
        lambda rng, shape: np.where(rng.random(shape) < 0.1, rng.beta(2, 18, shape), rng.beta(30, 2, shape)),
        0.1 * 2 / 20 + 0.9 * 30 / 32,
    ),
    "differences ~ t3": (lambda rng, shape: rng.standard_t(3, shape), 0.0),
}
"""How a sample is drawn, and its true mean: the data of the table that the rules rest on."""


def value_of(bound: Bound) -> float:
    assert bound.value is not None, bound.reason
    return bound.value


@pytest.mark.parametrize(("hits", "n"), [(0, 7), (5, 9), (12, 16), (64, 64)])
def test_bounds_of_outcomes_are_those_of_clopper_and_pearson(hits: int, n: int) -> None:
    outcomes = np.arange(n) < hits
    low, high = (value_of(bound(outcomes.astype(float), "outcome")) for bound in (bound_below, bound_above))
    assert (low, high) == pytest.approx(proportion_confint(hits, n, alpha=0.1, method="beta"), abs=1e-9)


@pytest.mark.parametrize(("n", "least"), [(16, 0.83), (29, 0.90), (59, 0.95), (299, 0.99)])
def test_bound_without_a_miss(n: int, least: float) -> None:
    """The lower bound p of n hits solves p^n = 0.05."""
    bound = value_of(bound_below(np.ones(n), "outcome"))
    assert bound == pytest.approx(0.05 ** (1 / n), rel=1e-9)
    assert round(bound, 2) == pytest.approx(least)


@pytest.mark.parametrize("n", [8, 21, 64])
def test_bounds_of_outcomes_miss_at_most_one_time_in_twenty(n: int) -> None:
    """All outcomes, with their exact probabilities."""
    lows = [value_of(bound_below((np.arange(n) < hits).astype(float), "outcome")) for hits in range(n + 1)]
    for truth in (0.5, 0.75, 0.9, 0.97):
        assert sum(binom.pmf(hits, n, truth) for hits, low in enumerate(lows) if low > truth) <= 0.05 + 1e-9


@pytest.mark.parametrize("n", [8, 20, 50])
def test_bounds_of_differences_are_the_90_percent_t_interval(n: int) -> None:
    values = np.random.default_rng(n).normal(0.1, 1, n)
    bounds = value_of(bound_below(values, "difference")), value_of(bound_above(values, "difference"))
    assert bounds == pytest.approx(DescrStatsW(values).tconfint_mean(0.1), rel=1e-12)


@pytest.mark.parametrize(("kind", "least"), [("outcome", 1), ("difference", 8), ("mean", 32)])
def test_bounds_need_as_many_images_as_their_kind_says(kind: Kind, least: int) -> None:
    values = np.arange(least, dtype=np.float64) % 2
    for bound in (bound_below, bound_above):
        assert bound(values, kind).value is not None
        refused = bound(values[:-1], kind)
        assert (refused.value, refused.n, refused.rule) == (None, least - 1, "none")
        assert refused.reason == f"no bound: fewer than {least} images"


@pytest.mark.parametrize("kind", ["difference", "mean"])
@pytest.mark.parametrize("level", [0.0, 0.1, 1.0])
def test_equal_values_have_no_bound(kind: Kind, level: float) -> None:
    assert bound_below(np.full(40, level), kind).reason == "no bound: all values are equal"


def test_one_value_apart_leaves_too_many_resamples_without_spread() -> None:
    """A resample of 40 has no spread with probability 0.36: above its 95 % quantile no ratio is finite."""
    values = np.ones(40)
    values[0] = 0.0
    assert bound_below(values, "mean").reason == "no bound: too many resamples are of equal values"


@pytest.mark.parametrize("kind", ["outcome", "difference", "mean"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_bounds_are_the_same_each_time_and_enclose_the_mean(kind: Kind, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=40)
    values = (values > 0).astype(np.float64) if kind == "outcome" else values
    assert bound_below(values, kind, seed) == bound_below(values, kind, seed)
    assert value_of(bound_below(values, kind, seed)) < values.mean() < value_of(bound_above(values, kind, seed))


@pytest.mark.slow
@pytest.mark.parametrize("n", [32, 64])
@pytest.mark.parametrize("name", SAMPLES)
def test_studentised_bounds_miss_seldom_and_less_than_bca(name: str, n: int) -> None:
    """Nominal 5 %; the standard error of a rate of misses over 1500 samples is below 0.7 %."""
    draw, truth = SAMPLES[name]
    samples = draw(np.random.default_rng(n), (1500, n))
    above = np.mean([value_of(bound_below(sample, "mean")) > truth for sample in samples])
    below = np.mean([value_of(bound_above(sample, "mean")) < truth for sample in samples])
    bca = bootstrap(
        (samples,),
        np.mean,
        axis=1,
        confidence_level=0.9,
        n_resamples=500,
        batch=50,
        method="BCa",
        rng=np.random.default_rng(0),
    ).confidence_interval
    assert max(above, below) <= 0.08
    assert above + below < np.mean(bca.low > truth) + np.mean(bca.high < truth) + 0.005


@pytest.mark.parametrize(("gained", "lost", "n"), [(0, 0, 36), (3, 5, 20), (0, 9, 9), (7, 0, 64)])
def test_bounds_of_a_change_are_gains_and_losses_at_their_exact_bounds(gained: int, lost: int, n: int) -> None:
    changes = np.repeat([1.0, -1.0, 0.0], [gained, lost, n - gained - lost])
    gains, losses = (proportion_confint(count, n, alpha=0.05, method="beta") for count in (gained, lost))
    assert value_of(bound_below(changes, "outcome change")) == pytest.approx(gains[0] - losses[1], abs=1e-9)
    assert value_of(bound_above(changes, "outcome change")) == pytest.approx(gains[1] - losses[0], abs=1e-9)


@pytest.mark.parametrize(("gain", "loss"), [(0.0, 0.1), (0.05, 0.05), (0.2, 0.5), (0.3, 0.02)])
def test_bounds_of_a_change_miss_at_most_one_time_in_twenty(gain: float, loss: float) -> None:
    """All pairs of counts of 15 images, with their exact probabilities."""
    n, missed = 15, {"below": 0.0, "above": 0.0}
    for gained in range(n + 1):
        for lost in range(n + 1 - gained):
            changes = np.repeat([1.0, -1.0, 0.0], [gained, lost, n - gained - lost])
            share = float(multinomial.pmf([gained, lost, n - gained - lost], n, [gain, loss, 1 - gain - loss]))
            missed["below"] += share * (value_of(bound_below(changes, "outcome change")) > gain - loss)
            missed["above"] += share * (value_of(bound_above(changes, "outcome change")) < gain - loss)
    assert max(missed.values()) <= 0.05
