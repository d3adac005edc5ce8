"""How many images it takes, against statsmodels and by trying every number."""

import math

import numpy as np
import pytest
from scipy.stats import t
from statsmodels.stats.power import TTestPower
from statsmodels.stats.proportion import proportion_confint

from reports.statistics import Kind, detectable_difference, images_to_decide, images_to_detect


@pytest.mark.parametrize(("n", "share_of_sd"), [(16, 0.75), (64, 0.36)])
def test_detectable_differences_of_the_table(n: int, share_of_sd: float) -> None:
    found = detectable_difference(n, 2.0)
    assert found is not None
    assert found / 2.0 == pytest.approx(share_of_sd, abs=0.005)


@pytest.mark.parametrize("n", [8, 16, 64, 300])
def test_detectable_difference_is_near_that_of_the_noncentral_t(n: int) -> None:
    """statsmodels solves for the power of the noncentral t, of which the two quantiles are an approximation."""
    exact = TTestPower().solve_power(nobs=n, alpha=0.05, power=0.8)
    assert detectable_difference(n, 1.0) == pytest.approx(exact, rel=0.02)


@pytest.mark.parametrize("n", [0, 1])
def test_one_image_detects_nothing(n: int) -> None:
    assert detectable_difference(n, 1.0) is None


@pytest.mark.parametrize("difference", [0.2, 0.5, -0.9])
def test_images_to_detect_is_the_first_number_that_does(difference: float) -> None:
    tried = (n for n in range(2, 10_000) if (detectable_difference(n, 1.0) or math.inf) <= abs(difference))
    assert images_to_detect(difference, 1.0) == next(tried)


@pytest.mark.parametrize("difference", [0.0, 1e-6])
def test_what_is_too_small_is_never_detected(difference: float) -> None:
    assert images_to_detect(difference, 1.0) is None


@pytest.mark.parametrize(("hits", "n", "criterion"), [(15, 16, 0.9), (14, 16, 0.75), (31, 36, 0.9), (1, 16, 0.5)])
def test_images_to_decide_outcomes_is_the_first_number_that_does(hits: int, n: int, criterion: float) -> None:
    share = hits / n
    bounds = ((m, proportion_confint(share * m, m, alpha=0.1, method="beta")) for m in range(1, 10_000))
    tried = next(m for m, (low, high) in bounds if (low > criterion if share > criterion else high < criterion))
    assert images_to_decide((np.arange(n) < hits).astype(float), "outcome", criterion) == tried


@pytest.mark.parametrize(("kind", "least"), [("difference", 8), ("mean", 32)])
@pytest.mark.parametrize("criterion", [-5.0, 0.0, 0.45])
def test_images_to_decide_means_is_the_first_number_that_does(kind: Kind, least: int, criterion: float) -> None:
    values = np.random.default_rng(0).normal(0.3, 1, 40)
    half = ((n, t.ppf(0.95, n - 1) * values.std(ddof=1) / math.sqrt(n)) for n in range(least, 100_000))
    tried = next(n for n, width in half if width < abs(values.mean() - criterion))
    assert images_to_decide(values, kind, criterion) == tried


def test_a_mean_on_the_criterion_is_never_decided() -> None:
    assert images_to_decide(np.array([0.0, 1.0]), "mean", 0.5) is None
    assert images_to_decide(np.array([1.0]), "outcome", 0.5) is None
