"""Two-sided 95 % intervals for display. Values are in the order of the store's images, without NaN."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, bootstrap, ttest_1samp

CONFIDENCE = 0.95
RESAMPLES = 2000
SEED = 0
ROUNDING = 1e-6
"""The share of the largest value by which statistics of float32 scores differ by rounding alone."""
LEAST_N = 5  # four images have only 35 distinct resamples: too few for an interval

Values = NDArray[np.float64]
Interval = tuple[float, float]

Statistic = Callable[..., Any]
"""A statistic of samples that are paired by image, called with them and with `axis`, along which images lie."""


class NoInterval(ValueError):
    """Values have no interval. The message is the reason."""


def bootstrap_interval(values: Values, seed: int = SEED) -> Interval:
    """Return the BCa interval of the mean. The images are resampled.

    Raises
    ------
    NoInterval
        If there are too few values, all are equal, or BCa is undefined for them.

    References
    ----------
    Efron 1987.
    """
    return interval_of_pairs(np.mean, (values,), seed)


def interval_of_pairs(statistic: Statistic, samples: Sequence[Values], seed: int = SEED) -> Interval:
    """Return the BCa interval of a statistic of samples that are paired by image.

    Each resample draws images, with all their values.

    Raises
    ------
    NoInterval
        As `bootstrap_interval`.
    """
    refuse_too_few(len(samples[0]))
    if all(np.ptp(values) == 0 for values in samples):
        raise NoInterval("no interval: all values are equal")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a degenerate bootstrap warns and returns NaN, which is refused below
        interval = bootstrap(
            samples,
            _with_ties(statistic, samples),
            n_resamples=RESAMPLES,
            confidence_level=CONFIDENCE,
            method="BCa",
            paired=len(samples) > 1,
            vectorized=True,
            rng=np.random.default_rng(seed),
        ).confidence_interval
    if not np.isfinite([interval.low, interval.high]).all():
        raise NoInterval("no interval: BCa is undefined for these values")
    return float(interval.low), float(interval.high)


def _with_ties(statistic: Statistic, samples: Sequence[Values]) -> Statistic:
    """Return the statistic, which is that of all images wherever it differs from this by rounding alone.

    A resample of the same images in another order has the same value but for the last bits, and BCa counts how many lie
    below and how many are equal: of six images 1.5 % are.
    """
    of_all = statistic(*samples, axis=-1)
    rounding = ROUNDING * max(float(np.abs(values).max()) for values in samples)

    def tie(*resampled: Values, axis: int) -> Any:
        values = statistic(*resampled, axis=axis)
        return np.where(np.abs(values - of_all) <= rounding, of_all, values)

    return tie


def wilson_interval(hits: int, n: int) -> Interval:
    """Return the score interval of a rate, without continuity correction (Wilson 1927)."""
    interval = binomtest(hits, n).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def exact_interval(hits: int, n: int) -> Interval:
    """Return the exact interval of a rate, which errs in at most 2.5 % at each end (Clopper, Pearson 1934)."""
    interval = binomtest(hits, n).proportion_ci(CONFIDENCE, method="exact")
    return float(interval.low), float(interval.high)


def t_interval(values: Values, confidence: float = CONFIDENCE) -> Interval:
    """Return the t interval of the mean.

    Raises
    ------
    NoInterval
        If there are too few values, or all are equal.
    """
    refuse_too_few(len(values))
    if np.ptp(values) == 0:
        raise NoInterval("no interval: all values are equal")
    interval = ttest_1samp(values, 0).confidence_interval(confidence)
    return float(interval.low), float(interval.high)


def refuse_too_few(n: int, least: int = LEAST_N) -> None:
    """Refuse fewer images than an interval needs."""
    if n < least:
        raise NoInterval(f"no interval: fewer than {least} images")
