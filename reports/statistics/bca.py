"""The BCa bootstrap as scipy computes it, without what scipy asks about its arguments at each of thousands of calls."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

Samples = Sequence[NDArray[np.float64]]


def bca_interval(
    statistic: Callable[..., Any], samples: Samples, confidence: float, resamples: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Return the BCa interval of a statistic of samples that are paired; NaN where it is undefined.

    Parameters
    ----------
    statistic
        Called with the samples and with `axis`, along which observations lie.
    resamples
        The number of resamples, each of which draws observations with all their values.

    References
    ----------
    Efron 1987; Efron, Tibshirani 1993, sections 14.3 and 15.4.
    """
    n = len(samples[0])
    drawn = rng.integers(0, n, (resamples, n))
    with np.errstate(divide="ignore", invalid="ignore"):  # a degenerate distribution, whose interval is NaN
        distribution = statistic(*(values[drawn] for values in samples), axis=-1)
        levels = _levels(statistic, samples, confidence, distribution)
    if not np.isfinite(levels).all() or not np.isfinite(distribution).all():
        return np.nan, np.nan
    low, high = np.quantile(distribution, levels)
    return float(low), float(high)


def _levels(
    statistic: Callable[..., Any], samples: Samples, confidence: float, distribution: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the shares of the distribution below the ends of the interval."""
    value = statistic(*samples, axis=-1)
    below = np.count_nonzero(distribution < value) + np.count_nonzero(distribution <= value)
    bias = ndtri(below / (2 * len(distribution)))
    ends = bias + np.array([1, -1]) * ndtri((1 - confidence) / 2)
    return np.asarray(ndtr(bias + ends / (1 - _acceleration(statistic, samples) * ends)))


def _acceleration(statistic: Callable[..., Any], samples: Samples) -> float:
    """Return the skewness of the jackknife, divided by 6."""
    n = len(samples[0])
    others = np.broadcast_to(np.arange(n), (n, n))[~np.eye(n, dtype=bool)].reshape(n, n - 1)
    left_out = statistic(*(values[others] for values in samples), axis=-1)
    distances = (n - 1) * (left_out.mean() - left_out)
    return float(1 / 6 * ((distances**3).sum() / n**3) / ((distances**2).sum() / n**2) ** 1.5)
