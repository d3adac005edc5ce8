"""The BCa interval is scipy's, for statistics of one sample and of paired ones, and where it is undefined."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import bootstrap

from reports.statistics.bca import bca_interval

Statistic = Callable[..., Any]


def difference(first: NDArray[np.float64], second: NDArray[np.float64], axis: int) -> Any:
    return first.mean(axis) - second.mean(axis) ** 2


def scipy_interval(statistic: Statistic, samples: tuple[NDArray[np.float64], ...], seed: int) -> tuple[float, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bootstrap(
            samples, statistic, n_resamples=2000, confidence_level=0.95, method="BCa", paired=len(samples) > 1,
            vectorized=True, rng=np.random.default_rng(seed),
        ).confidence_interval  # fmt: skip


@pytest.mark.parametrize("n", [5, 6, 36, 200])
@pytest.mark.parametrize("seed", range(3))
def test_the_interval_is_that_of_scipy(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for samples, statistic in (
        ((rng.normal(size=n),), np.mean),
        ((rng.exponential(size=n),), np.median),
        ((rng.integers(0, 2, n).astype(float),), np.mean),
        ((rng.normal(size=n), rng.exponential(size=n)), difference),
    ):
        own = bca_interval(statistic, samples, 0.95, 2000, np.random.default_rng(seed))
        np.testing.assert_allclose(own, scipy_interval(statistic, samples, seed), rtol=1e-12, atol=1e-14)


def test_a_degenerate_distribution_has_no_interval() -> None:
    values = np.array([1.0, 1.0, 1.0, 1.0, 1.0])
    own = bca_interval(np.mean, (values,), 0.95, 2000, np.random.default_rng(0))
    assert np.isnan(own).all()
    assert np.isnan(scipy_interval(np.mean, (values,), 0)).all()
