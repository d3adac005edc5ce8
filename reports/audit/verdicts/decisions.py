"""The decision on one criterion under one condition: PASS, WARN, FAIL or INCONCLUSIVE from one-sided 95 % bounds."""

from dataclasses import dataclass
from math import isfinite
from typing import Literal

from reports.audit.verdicts.criteria import Criterion
from reports.audit.verdicts.reasons import Reason
from reports.audit.verdicts.samples import Sample, Unit
from reports.result import ResultModel
from reports.statistics import Kind, Values, bound_above, bound_below, images_to_decide, least_images

Interval = tuple[float, float]

Outcome = Literal["PASS", "WARN", "FAIL", "INCONCLUSIVE"]
SEVERITY: tuple[Outcome, ...] = ("PASS", "WARN", "INCONCLUSIVE", "FAIL")
"""The outcomes from the best to the worst."""
UNDEFINED_SHARE = 0.05
"""A pass with a larger share of undefined values is a warning."""


class Decision(ResultModel):
    """The decision on a criterion under one condition, and the numbers that it was made from."""

    outcome: Outcome
    reason: Reason
    condition: str
    """The id of the condition; empty if none was selected."""
    value: float | None
    low: float | None
    """One-sided 95 % lower bound; with `high`, a two-sided 90 % interval."""
    high: float | None
    bound: float
    n: int
    unit: Unit
    """What there are n of. Undefined are images, whatever the unit."""
    n_asked: int
    """Images."""
    undefined: int
    """Images whose map is undefined, or without a value."""
    undefined_reasons: dict[str, int]
    """Reason -> number of these images."""
    would_decide: int | None = None
    """INCONCLUSIVE: the number of units that would decide, if values stayed as they are; None if none can be told."""


@dataclass(frozen=True)
class Rule:
    """A bound and the side on which values must lie."""

    bound: float
    is_lower: bool
    """Whether values must be above the bound."""

    @classmethod
    def of(cls, criterion: Criterion) -> "Rule":
        """Return the rule of a criterion."""
        return cls(criterion.bound, criterion.is_lower)

    def is_met(self, low: float, high: float) -> bool:
        """Return whether a whole interval lies strictly on the right side."""
        return low > self.bound if self.is_lower else high < self.bound

    def is_missed(self, low: float, high: float) -> bool:
        """Return whether no part of an interval lies on the right side, of which the bound is no part."""
        return high <= self.bound if self.is_lower else low >= self.bound

    def with_misses(self, factor: float, criterion: Criterion) -> "Rule":
        """Return the rule that allows another share of misses, where it bounds a rate from below."""
        if criterion.quantity.kind != "outcome" or not self.is_lower:
            return self
        return Rule(max(0.0, 1 - factor * (1 - self.bound)), self.is_lower)


def open_decision(criterion: Criterion, reason: Reason) -> Decision:
    """Return the decision on what has no values to decide by."""
    return Decision(
        outcome="INCONCLUSIVE", reason=reason, condition="", value=None, low=None, high=None, bound=criterion.bound,
        n=0, unit="image", n_asked=0, undefined=0, undefined_reasons={},
    )  # fmt: skip


def decide(sample: Sample, condition: str, criterion: Criterion, rule: Rule) -> Decision:
    """Return the decision on a sample by the one-sided 95 % bounds of its quantity (`reports.statistics.bounds`)."""
    interval = None if sample.n < criterion.min_n else _interval(sample.values, criterion.quantity.kind)
    if interval is None:
        outcome, reason = _judge_without_interval(sample, criterion, rule)
    else:
        outcome, reason = _judge(sample, criterion, rule, interval)
    low, high = interval or (None, None)
    return Decision(
        outcome=outcome,
        reason=reason,
        condition=condition,
        value=float(sample.values.mean()) if sample.n else None,
        low=low,
        high=high,
        bound=rule.bound,
        n=sample.n,
        unit=sample.unit,
        n_asked=sample.n_asked,
        undefined=sample.undefined_misses + sample.n_excluded,
        undefined_reasons=sample.reasons,
        would_decide=_would_decide(sample, criterion, rule) if outcome == "INCONCLUSIVE" else None,
    )


def _judge(sample: Sample, criterion: Criterion, rule: Rule, interval: Interval) -> tuple[Outcome, Reason]:
    if rule.is_missed(*interval):
        return "FAIL", Reason.BOUND_MISSED
    if not rule.is_met(*interval):
        return "INCONCLUSIVE", Reason.UNDECIDED
    undefined = sample.undefined_misses + sample.n_excluded
    if undefined > UNDEFINED_SHARE * sample.n_asked or not _passes_at_worst(sample, criterion, rule):
        return "WARN", Reason.OFTEN_UNDEFINED
    return "PASS", Reason.MET


def _judge_without_interval(sample: Sample, criterion: Criterion, rule: Rule) -> tuple[Outcome, Reason]:
    """Return the outcome where no interval can be made. Equal values never pass, but fail on the wrong side."""
    if sample.n == 0:
        return "INCONCLUSIVE", Reason.NOT_MEASURED
    if sample.n < max(criterion.min_n, least_images(criterion.quantity.kind)):
        return "INCONCLUSIVE", Reason.TOO_FEW_IMAGES
    if rule.is_missed(sample.values.min(), sample.values.max()):
        return "FAIL", Reason.BOUND_MISSED
    return "INCONCLUSIVE", Reason.NO_SPREAD


def _would_decide(sample: Sample, criterion: Criterion, rule: Rule) -> int | None:
    """Return how many images would decide; None where fewer than there are should, by a rule that is only near."""
    found = images_to_decide(sample.values, criterion.quantity.kind, rule.bound)
    needed = None if found is None else max(found, criterion.min_n)
    return needed if needed is not None and needed > sample.n else None


def _passes_at_worst(sample: Sample, criterion: Criterion, rule: Rule) -> bool:
    """Return whether the bound is met with the worst possible value for each image that has none."""
    if not sample.n_excluded:
        return True
    if not isfinite(criterion.worst):
        return False
    interval = _interval(sample.at_worst(criterion.worst), criterion.quantity.kind)
    return interval is not None and rule.is_met(*interval)


def _interval(values: Values, kind: Kind) -> Interval | None:
    low, high = bound_below(values, kind).value, bound_above(values, kind).value
    return None if low is None or high is None else (low, high)
