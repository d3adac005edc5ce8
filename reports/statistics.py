"""Means and rates over images, with their 95 % intervals or the reason why there is none."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from math import isinf
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, bootstrap

from reports.result import Estimate, ResultModel
from srd.registry import METRICS

CONFIDENCE = 0.95
RESAMPLES = 2000
SEED = 0
LEAST_N = 5  # four images have only 35 distinct resamples: too few for an interval
LIBRARIES = ("numpy", "scipy", "xarray", "matplotlib", "seaborn", "pillow", "jinja2")

SHARE = "share of images, 0 to 1"
"""The unit of a rate."""

Values = NDArray[np.float64]
Bounds = tuple[float, float]


Statistic = Callable[..., Any]
"""A statistic of samples that are paired by image, called with them and with `axis`, along which images lie."""


class NoInterval(ValueError):
    """Values have no interval. The message is the reason."""


class Policy(ResultModel):
    """The settings of all intervals, so that each can be computed again.

    BCa: `scipy.stats.bootstrap((values,), numpy.mean, n_resamples=resamples, confidence_level=confidence,
    method="BCa", rng=numpy.random.default_rng(seed))`, values in the order of the store's images, without NaN. Each
    interval has a new generator. Calibrated stabilities, and their differences, are statistics of several such samples:
    `paired=True`, so that each resample draws images with all their values. Wilson: the score interval without
    continuity correction.
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
        text="Means: BCa bootstrap over images, the same seed for every interval. Rates: Wilson score interval. "
        "An interval is for images drawn as these were, not for other data.",
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


def mean(values: Values, unit: str, excluded: Mapping[str, int]) -> Estimate:
    """Return the mean with its bootstrap interval.

    Parameters
    ----------
    excluded
        Reason -> number of images of the set that are not among the values.
    """
    return estimate_of_pairs(np.mean, (values,), unit, excluded)


def estimate_of_pairs(
    statistic: Statistic, samples: Sequence[Values], unit: str, excluded: Mapping[str, int]
) -> Estimate:
    """Return a statistic of samples that are paired by image, with its bootstrap interval.

    Each resample draws images, with all their values. `excluded` is as in `mean`.
    """
    if not len(samples[0]):
        return _nothing(unit, excluded)
    return _estimate(statistic, samples, unit, excluded)


def rate(hits: NDArray[np.bool_], unit: str, excluded: Mapping[str, int]) -> Estimate:
    """Return the share of hits with its Wilson interval. `excluded` is as in `mean`."""
    if not len(hits):
        return _nothing(unit, excluded)
    low, high = wilson_interval(int(hits.sum()), len(hits))
    return Estimate(
        value=float(hits.mean()),
        low=low,
        high=high,
        n=len(hits),
        unit=unit,
        interval="Wilson score",
        excluded=dict(excluded),
    )


def bootstrap_interval(values: Values) -> Bounds:
    """Return the BCa interval of the mean. The images are resampled.

    Raises
    ------
    NoInterval
        If there are too few values, all are equal, or BCa is undefined for them.

    References
    ----------
    Efron 1987.
    """
    return _interval(np.mean, (values,))


def _interval(statistic: Statistic, samples: Sequence[Values]) -> Bounds:
    if len(samples[0]) < LEAST_N:
        raise NoInterval(f"no interval: fewer than {LEAST_N} images")
    if all(np.ptp(values) == 0 for values in samples):
        raise NoInterval("no interval: all values are equal")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a degenerate bootstrap warns and returns NaN, which is refused below
        interval = bootstrap(
            samples,
            statistic,
            n_resamples=RESAMPLES,
            confidence_level=CONFIDENCE,
            method="BCa",
            paired=len(samples) > 1,
            vectorized=True,
            rng=np.random.default_rng(SEED),
        ).confidence_interval
    if not np.isfinite([interval.low, interval.high]).all():
        raise NoInterval("no interval: BCa is undefined for these values")
    return float(interval.low), float(interval.high)


def wilson_interval(hits: int, n: int) -> Bounds:
    """Return the score interval of a rate, without continuity correction (Wilson 1927)."""
    interval = binomtest(hits, n).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def _estimate(statistic: Statistic, samples: Sequence[Values], unit: str, excluded: Mapping[str, int]) -> Estimate:
    value, n = float(statistic(*samples, axis=-1)), len(samples[0])
    try:
        low, high = _interval(statistic, samples)
    except NoInterval as why:
        return _without_interval(value, n, unit, str(why), excluded)
    return Estimate(value=value, low=low, high=high, n=n, unit=unit, interval="BCa bootstrap", excluded=dict(excluded))


def _nothing(unit: str, excluded: Mapping[str, int]) -> Estimate:
    why = "; ".join(excluded) or "no image is in this set"
    return Estimate(
        value=None, low=None, high=None, n=0, unit=unit, interval="none", reason=why, excluded=dict(excluded)
    )


def _without_interval(value: float, n: int, unit: str, why: str, excluded: Mapping[str, int]) -> Estimate:
    return Estimate(
        value=value, low=None, high=None, n=n, unit=unit, interval="none", reason=why, excluded=dict(excluded)
    )
