"""Means and rates over images, with their 95 % intervals or the reason why there is none."""

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from math import isinf

import numpy as np
from numpy.typing import NDArray

from reports.result import Estimate, IntervalName, ResultModel
from reports.statistics.intervals import (
    CONFIDENCE,
    LEAST_N,
    RESAMPLES,
    SEED,
    Interval,
    NoInterval,
    Statistic,
    Values,
    interval_of_pairs,
    t_interval,
    wilson_interval,
)
from srd.registry import METRICS

LIBRARIES = ("numpy", "scipy", "xarray", "matplotlib", "seaborn", "pillow", "jinja2")

SHARE = "share of images, 0 to 1"
"""The unit of a rate."""


class Policy(ResultModel):
    """The settings of all intervals, so that each can be computed again.

    BCa: `scipy.stats.bootstrap((values,), numpy.mean, n_resamples=resamples, confidence_level=confidence,
    method="BCa", rng=numpy.random.default_rng(seed))`, values in the order of the store's images, without NaN. Each
    interval has a new generator. Calibrated stabilities, and their differences, are statistics of several such samples:
    `paired=True`, so that each resample draws images with all their values. Wilson: the score interval without
    continuity correction. t: of other means of paired differences, and of means over re-draws of the weights, the units
    there. Bounds that decide are one-sided, at the same confidence: Clopper-Pearson for outcomes that are 1 or 0, t for
    paired differences of 8 images or more and for 5 re-draws or more, the bootstrap-t, with the same seed and number of
    resamples, for other means of 32 images or more.
    """

    confidence: float
    resamples: int
    seed: int
    least_n: int
    """With fewer images there is no bootstrap interval."""
    resampled: str
    text: str
    versions: dict[str, str]
    """The versions of the libraries that summarise and draw."""


def policy() -> Policy:
    """Return the settings of every interval of a result."""
    return Policy(
        confidence=CONFIDENCE,
        resamples=RESAMPLES,
        seed=SEED,
        least_n=LEAST_N,
        resampled="images",
        text="Means, and calibrated stabilities with their differences: BCa bootstrap over images, the same seed for "
        "every interval. Rates: Wilson score interval. Other means of paired differences, and means over re-drawn "
        "weights: t interval. An interval is for images drawn as these were, not for other data.",
        versions={name: version(name) for name in LIBRARIES},
    )


def unit(metric: str) -> str:
    """Return the unit of a metric: its title and bounds."""
    low, high = METRICS[metric].bounds
    if isinf(low):
        return f"{METRICS[metric].title}, at most {high:g}"
    if isinf(high):
        return f"{METRICS[metric].title}, at least {low:g}"
    return f"{METRICS[metric].title}, {low:g} to {high:g}"


def mean(values: Values, unit: str, excluded: Mapping[str, int], seed: int = SEED) -> Estimate:
    """Return the mean with its bootstrap interval.

    Parameters
    ----------
    excluded
        Reason -> number of images of the set that are not among the values.
    """
    return estimate_of_pairs(np.mean, (values,), unit, excluded, seed)


def estimate_of_pairs(
    statistic: Statistic, samples: Sequence[Values], unit: str, excluded: Mapping[str, int], seed: int = SEED
) -> Estimate:
    """Return a statistic of samples that are paired by image, with its bootstrap interval.

    Each resample draws images, with all their values. `excluded` is as in `mean`.
    """
    if not len(samples[0]):
        return no_estimate(unit, excluded)
    value, n = float(statistic(*samples, axis=-1)), len(samples[0])
    return _estimate(value, n, unit, excluded, "BCa bootstrap", lambda: interval_of_pairs(statistic, samples, seed))


def rate(hits: NDArray[np.bool_], unit: str, excluded: Mapping[str, int]) -> Estimate:
    """Return the share of hits with its Wilson interval. `excluded` is as in `mean`."""
    if not len(hits):
        return no_estimate(unit, excluded)
    n = len(hits)
    return _estimate(float(hits.mean()), n, unit, excluded, "Wilson score", lambda: wilson_interval(int(hits.sum()), n))


def mean_difference(first: Values, second: Values, unit: str, why: str) -> Estimate:
    """Return the mean of the first minus the second, paired by image, with its t interval.

    Parameters
    ----------
    first, second
        A value for each image of the store, NaN where there is none.
    why
        The reason why images without both values are left out.
    """
    differences = first - second
    known = differences[~np.isnan(differences)]
    absent = len(differences) - len(known)
    excluded = {why: absent} if absent else {}
    return mean_by_t(known, unit, excluded)


def mean_by_t(values: Values, unit: str, excluded: Mapping[str, int]) -> Estimate:
    """Return the mean with its t interval: of paired differences, or of means over images, one for each re-draw.

    `excluded` is as in `mean`.
    """
    if not len(values):
        return no_estimate(unit, excluded)
    return _estimate(float(values.mean()), len(values), unit, excluded, "t", lambda: t_interval(values))


def no_estimate(unit: str, excluded: Mapping[str, int], why: str = "") -> Estimate:
    """Return an estimate without a value. Its reason is `why`, or those for which images are left out."""
    reason = why or "; ".join(excluded) or "no image is in this set"
    return Estimate(
        value=None, low=None, high=None, n=0, unit=unit, interval="none", reason=reason, excluded=dict(excluded)
    )


def _estimate(
    value: float, n: int, unit: str, excluded: Mapping[str, int], kind: IntervalName, interval: Callable[[], Interval]
) -> Estimate:
    try:
        low, high = interval()
    except NoInterval as why:
        return Estimate(
            value=value, low=None, high=None, n=n, unit=unit, interval="none", reason=str(why), excluded=dict(excluded)
        )
    return Estimate(value=value, low=low, high=high, n=n, unit=unit, interval=kind, excluded=dict(excluded))
