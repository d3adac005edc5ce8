"""One-sided 95 % bounds, from which verdicts are made: a rule for each kind of statistic, and where it may be used.

Why the bootstrapped bound is studentised: one-sided, at a nominal 5 %, the t-shaped quantity of the resamples follows
the skewness that failing images bring, so that it misses less often than BCa (`tests/reports/statistics/test_bounds.py`
counts the misses of both). With fewer than 32 images both miss too often on skewed values, so there is no bound.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from scipy.stats import binomtest, ttest_1samp

from reports.result import ResultModel
from reports.statistics.intervals import (
    CONFIDENCE,
    RESAMPLES,
    SEED,
    NoInterval,
    Values,
    exact_interval,
    refuse_too_few,
)

Kind = Literal["outcome", "outcome change", "difference", "mean", "re-draws"]
"""outcome: 1 or 0 for each image. outcome change: the difference of two of these, -1, 0 or 1. difference: of two other
values of each image. mean: any other value of each image. re-draws: a mean over images for each of several re-draws of
the network's weights, which are the units.
"""
Side = Literal["lower", "upper"]
RuleName = Literal["Clopper-Pearson", "t", "studentised bootstrap", "none"]


class Bound(ResultModel):
    """A one-sided 95 % bound of a mean over images."""

    value: float | None
    """None where there is no bound; `reason` then says why."""
    side: Side
    n: int
    """Images, or re-draws, that the bound is made from."""
    rule: RuleName
    reason: str = ""


@dataclass(frozen=True)
class _Rule:
    name: RuleName
    least_n: int
    lower: Callable[[Values, int], float]
    top: float
    """The upper bound of values is this minus the lower bound of this minus the values."""


def bound_below(values: Values, kind: Kind, seed: int = SEED) -> Bound:
    """Return the lower bound of the mean, which lies above the truth for at most about 5 % of samples.

    Parameters
    ----------
    values
        One for each image, in the order of the store, without NaN.
    """
    return _bound_of(values, kind, "lower", seed)


def bound_above(values: Values, kind: Kind, seed: int = SEED) -> Bound:
    """Return the upper bound of the mean, which lies below the truth for at most about 5 % of samples."""
    return _bound_of(values, kind, "upper", seed)


def least_images(kind: Kind) -> int:
    """Return the number of images, or re-draws, from which on this kind of statistic has bounds."""
    return _RULES[kind].least_n


def _bound_of(values: Values, kind: Kind, side: Side, seed: int) -> Bound:
    rule = _RULES[kind]
    try:
        refuse_too_few(len(values), rule.least_n)
        value = rule.lower(values, seed) if side == "lower" else rule.top - rule.lower(rule.top - values, seed)
    except NoInterval as why:
        return Bound(value=None, side=side, n=len(values), rule="none", reason=str(why).replace("interval", "bound"))
    return Bound(value=value, side=side, n=len(values), rule=rule.name)


def _exact_lower(values: Values, _: int) -> float:
    return _clopper_pearson_lower(int(values.sum()), len(values))


@cache
def _clopper_pearson_lower(hits: int, n: int) -> float:
    """Return the bound of Clopper and Pearson 1934. A report asks for the same few again and again."""
    return float(binomtest(hits, n, alternative="greater").proportion_ci(CONFIDENCE, method="exact").low)


def _exact_change_lower(values: Values, _: int) -> float:
    """Return the share of gains less that of losses, each at its exact bound that errs in at most 2.5 %."""
    gained, lost = int((values > 0).sum()), int((values < 0).sum())
    return exact_interval(gained, len(values))[0] - exact_interval(lost, len(values))[1]


def _t_lower(values: Values, _: int) -> float:
    _refuse_equal(values)
    return float(ttest_1samp(values, 0, alternative="greater").confidence_interval(CONFIDENCE).low)


def _studentised_lower(values: Values, seed: int) -> float:
    """Return the bound of the bootstrap-t (Efron, Tibshirani 1993, section 12.5)."""
    _refuse_equal(values)
    resamples = np.random.default_rng(seed).choice(values, (RESAMPLES, len(values)))
    shifts = resamples.mean(1) - values.mean()
    with np.errstate(divide="ignore", invalid="ignore"):  # a resample of equal values has no spread
        ratios = np.nan_to_num(shifts / _standard_error(resamples), nan=0.0, posinf=np.inf, neginf=-np.inf)
    worst = np.quantile(ratios, CONFIDENCE, method="higher")
    if not np.isfinite(worst):
        raise NoInterval("no interval: too many resamples are of equal values")
    return float(values.mean() - worst * _standard_error(values[None])[0])


def _standard_error(values: Values) -> Values:
    return np.asarray(values.std(1, ddof=1) / np.sqrt(values.shape[1]))


def _refuse_equal(values: Values) -> None:
    if np.ptp(values) == 0:
        raise NoInterval("no interval: all values are equal")


_RULES: dict[Kind, _Rule] = {
    "outcome": _Rule("Clopper-Pearson", 1, _exact_lower, top=1),
    "outcome change": _Rule("Clopper-Pearson", 1, _exact_change_lower, top=0),
    "difference": _Rule("t", 8, _t_lower, top=0),
    "mean": _Rule("studentised bootstrap", 32, _studentised_lower, top=0),
    "re-draws": _Rule("t", 5, _t_lower, top=0),
}
