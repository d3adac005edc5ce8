"""Tests that something is not worse than a margin, and that two things are the same within one."""

from reports.result import ResultModel
from reports.statistics.bounds import Bound, Kind, bound_above, bound_below
from reports.statistics.intervals import SEED, Values

MARGIN = 0.1


class NonInferiority(ResultModel):
    """The answer to whether a mean is not below a margin, from its one-sided 95 % lower bound."""

    margin: float
    bound: Bound
    holds: bool | None
    """None where there is no bound."""


class Equivalence(ResultModel):
    """The answer of two one-sided t-tests at 5 %: the 90 % interval lies inside (-margin, margin)."""

    margin: float
    lower: Bound
    upper: Bound
    holds: bool | None
    """None where there is no bound."""


def non_inferiority(values: Values, kind: Kind, margin: float, seed: int = SEED) -> NonInferiority:
    """Return whether the lower bound of the mean reaches the margin. Values are without NaN."""
    bound = bound_below(values, kind, seed)
    holds = None if bound.value is None else bound.value >= margin
    return NonInferiority(margin=margin, bound=bound, holds=holds)


def equivalence(differences: Values, margin: float = MARGIN) -> Equivalence:
    """Return whether the mean of paired differences lies within a margin of 0. Values are without NaN.

    References
    ----------
    Schuirmann 1987.
    """
    lower, upper = bound_below(differences, "difference"), bound_above(differences, "difference")
    is_open = lower.value is None or upper.value is None
    holds = None if is_open else -margin < (lower.value or 0.0) and (upper.value or 0.0) < margin
    return Equivalence(margin=margin, lower=lower, upper=upper, holds=holds)
