"""Kendall's W, against its definition and scipy."""

import numpy as np
import pytest
from scipy.stats import friedmanchisquare, spearmanr

from reports.statistics import Values, concordance
from reports.statistics.agreement import kendalls_w


def slow_w(scores: Values) -> float:
    """12 S / (m^2 (n^3 - n) - m sum of (t^3 - t) over groups of t ties)."""
    m, n = scores.shape
    ranks = np.array([[sum(row < each) + (sum(row == each) + 1) / 2 for each in row] for row in scores])
    squares = sum((ranks[:, j].sum() - m * (n + 1) / 2) ** 2 for j in range(n))
    ties = sum(sum(row == value) ** 3 - sum(row == value) for row in scores for value in set(row.tolist()))
    return float(12 * squares / (m**2 * (n**3 - n) - m * ties))


@pytest.mark.parametrize("seed", range(5))
def test_w_is_its_definition_and_that_of_scipy(seed: int) -> None:
    scores = np.random.default_rng(seed).integers(0, 6, (4, 7)).astype(float)
    assert kendalls_w(scores) == pytest.approx(slow_w(scores))
    assert kendalls_w(scores) == pytest.approx(friedmanchisquare(*scores.T).statistic / (4 * 6))


@pytest.mark.parametrize("seed", range(3))
def test_w_of_two_metrics_is_spearmans_correlation(seed: int) -> None:
    scores = np.random.default_rng(seed).normal(size=(2, 9))
    assert kendalls_w(scores) == pytest.approx((spearmanr(*scores).statistic + 1) / 2)


def sample(n: int = 24, noise: float = 0.3) -> Values:
    """Three metrics of five methods that agree but for noise; the second is better when lower."""
    values = np.random.default_rng(1).normal(np.arange(5), noise, (3, n, 5))
    return np.asarray(values * np.array([1, -1, 1])[:, None, None])


def test_agreement_has_n_unit_and_interval() -> None:
    found = concordance(sample(noise=4), ("higher", "lower", "higher"))
    assert found.low is not None
    assert found.value is not None
    assert found.high is not None
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.n == 24


def test_direction_counts() -> None:
    assert concordance(sample(), ("higher", "lower", "higher")).value == pytest.approx(1)
    assert concordance(sample(), ("higher", "higher", "higher")).value == pytest.approx(slow_w(sample().mean(1)))


def test_an_incomplete_image_is_left_out_and_counted() -> None:
    values = sample()
    values[1, 3, 2] = np.nan
    found = concordance(values, ("higher", "lower", "higher"))
    assert (found.n, found.excluded) == (23, {"a score is undefined or missing": 1})


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (np.ones((1, 9, 4)), "1 metrics of 4 methods have no concordance"),
        (np.ones((3, 9, 2)), "3 metrics of 2 methods have no concordance"),
        (np.ones((3, 9, 4)), "all methods tie by every metric"),
        (np.full((3, 9, 4), np.nan), "a score is undefined or missing"),
    ],
)
def test_no_agreement_has_a_reason(values: Values, why: str) -> None:
    found = concordance(values, ["higher" for _ in values])
    assert found.value is None
    assert why in found.reason
