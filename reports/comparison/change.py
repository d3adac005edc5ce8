"""The change from one audit to another: a test of non-inferiority for each criterion, method and condition.

A difference is after - before, of one image. Its mean is no loss beyond a margin m if its one-sided 95 % bound reaches
-m, in the direction that is better; it is one if its other bound lies below -m.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from reports.audit.verdicts.criteria import Criterion
from reports.audit.verdicts.decisions import UNDEFINED_SHARE, Outcome
from reports.audit.verdicts.evidence import Evidence
from reports.audit.verdicts.reasons import IN_WORDS, Reason
from reports.comparison.audits import Audit
from reports.comparison.change_result import Change, ChangeOutcome, CriterionChange, RunOutcome
from reports.comparison.pairing import is_one_network, notes, unlike_measurement
from reports.families import is_control
from reports.statistics import Kind, Values, bound_above, bound_below, non_inferiority

PASSED: tuple[Outcome, ...] = ("PASS", "WARN")
NEW_FAILURE = "its verdict went from {} to FAIL"
UNCHANGED = "every image has the same value in both runs, which are of one network"


def find_change(before: Audit, after: Audit, methods: Iterable[str] = ()) -> Change:
    """Return what changed from one audit to another of the same images, by the criteria of the second.

    Parameters
    ----------
    methods
        The methods that are asked about; those of the older run without its controls if none is named.
    """
    named = tuple(methods) or tuple(name for name in before.readings.methods if not is_control(name))
    pair = _Pair(before, after)
    changes = tuple(
        each
        for method in named
        for number, criterion in enumerate(after.result.criteria)
        if criterion.judges(method)
        for each in pair.changes(number, criterion, method)
    )
    return Change(
        before=before.name,
        after=after.name,
        is_one_network=is_one_network(before, after),
        criteria=after.result.criteria,
        changes=changes,
        outcome=outcome_of(changes),
        notes=tuple(notes(before, after)),
    )


def outcome_of(changes: Sequence[CriterionChange]) -> RunOutcome:
    """Return the outcome of a run: a regression if anything is worse, none if everything was found to be no worse."""
    found = {each.outcome for each in changes}
    if "WORSE" in found:
        return "REGRESSION"
    return "NO REGRESSION" if found and found <= {"BETTER", "NO WORSE"} else "INCONCLUSIVE"


class _Pair:
    """Two audits, and what their verdicts are made from."""

    def __init__(self, before: Audit, after: Audit) -> None:
        self._audits = before, after
        self._evidence = tuple(
            Evidence(each.readings, each.result.methods, each.result.conditions, each.result.verdicts)
            for each in self._audits
        )
        self._is_one_network = is_one_network(before, after)

    def changes(self, number: int, criterion: Criterion, method: str) -> Iterator[CriterionChange]:
        """Yield the change under each condition that the criterion means in the older run; none if it measured none."""
        before, after = self._audits
        if method not in before.readings.methods:
            return
        older = self._evidence[0].select(criterion, method)
        if isinstance(older, Reason):
            return
        if method not in after.readings.methods:
            yield _without_comparison(number, method, "", f"{after.name} does not explain by it")
            return
        newer = self._evidence[1].select(criterion, method)
        if isinstance(newer, Reason):
            yield _without_comparison(number, method, "", f"in {after.name} {IN_WORDS[newer]}")
            return
        for condition in older:
            if condition not in newer:
                yield _without_comparison(
                    number, method, condition, f"{after.name} has no such condition that is reliable"
                )
                continue
            unlike = unlike_measurement(before, after, criterion, condition)
            yield (
                _without_comparison(number, method, condition, unlike)
                if unlike
                else self._change(number, criterion, condition, method)
            )

    def _change(self, number: int, criterion: Criterion, condition: str, method: str) -> CriterionChange:
        before, after = (each.values_by_image(criterion, condition, method) for each in self._evidence)
        is_pair = ~np.isnan(before) & ~np.isnan(after)
        tested = _Differences(after[is_pair] - before[is_pair], criterion, self._is_one_network)
        verdicts = self._verdicts(number, condition, method)
        vanished = int((~np.isnan(before) & np.isnan(after)).sum())
        outcome, reason = tested.judge(verdicts, vanished)
        low, high = tested.interval
        is_rate = criterion.quantity.kind == "outcome"
        return CriterionChange(
            method=method,
            criterion=number,
            condition=condition,
            heading=self._heading(condition),
            outcome=outcome,
            reason=reason,
            before=float(before[is_pair].mean()) if is_pair.any() else None,
            after=float(after[is_pair].mean()) if is_pair.any() else None,
            low=low,
            high=high,
            n=int(is_pair.sum()),
            unit="re-draw" if criterion.quantity.kind == "re-draws" else "image",
            gained=tested.count(1) if is_rate else None,
            lost=tested.count(-1) if is_rate else None,
            vanished=vanished,
            verdicts=verdicts,
        )

    def _heading(self, condition: str) -> str:
        return next((each.heading for each in self._audits[0].result.conditions if each.id == condition), "")

    def _verdicts(self, number: int, condition: str, method: str) -> tuple[Outcome, Outcome] | None:
        """Return the verdict of a criterion under a condition in each run, by the criteria that both were judged by."""
        if self._audits[0].result.criteria != self._audits[1].result.criteria:
            return None
        first, second = (_verdict(each, number, condition, method) for each in self._audits)
        return (first, second) if first and second else None


@dataclass(frozen=True)
class _Differences:
    """The paired differences of what a criterion bounds, after - before."""

    values: Values
    criterion: Criterion
    is_one_network: bool

    @property
    def kind(self) -> Kind:
        """Return how their bounds are found."""
        own = self.criterion.quantity.kind
        return "outcome change" if own == "outcome" else "re-draws" if own == "re-draws" else "difference"

    @property
    def interval(self) -> tuple[float | None, float | None]:
        """Return the two one-sided bounds of the mean, None where there are none."""
        if self._is_unchanged:
            return 0.0, 0.0
        return bound_below(self.values, self.kind).value, bound_above(self.values, self.kind).value

    def count(self, difference: int) -> int:
        """Return how many images of a rate differ so."""
        return int((self.values == difference).sum())

    def judge(self, verdicts: tuple[Outcome, Outcome] | None, vanished: int) -> tuple[ChangeOutcome, str]:
        """Return the outcome with its reason. A new failure of the criterion is a loss, whatever the margin."""
        if verdicts and verdicts[0] in PASSED and verdicts[1] == "FAIL":
            return "WORSE", NEW_FAILURE.format(verdicts[0])
        if vanished > UNDEFINED_SHARE * (len(self.values) + vanished):
            return "UNDECIDED", f"{vanished} images had a value before and have none now"
        if len(self.values) < self.criterion.min_n:
            return "UNDECIDED", f"{len(self.values)} pairs, where the criterion asks for {self.criterion.min_n}"
        if self._is_unchanged:
            return "NO WORSE", UNCHANGED
        return self._test()

    @property
    def _is_unchanged(self) -> bool:
        return self.is_one_network and len(self.values) > 0 and not self.values.any()

    def _test(self) -> tuple[ChangeOutcome, str]:
        gains, margin = self.values if self.criterion.is_lower else -self.values, self.criterion.margin
        tested = non_inferiority(gains, self.kind, -margin)
        most = bound_above(gains, self.kind).value
        if tested.holds is None or tested.bound.value is None or most is None:
            return "UNDECIDED", tested.bound.reason
        if tested.holds:
            return ("BETTER" if tested.bound.value > 0 else "NO WORSE"), ""
        return ("WORSE" if most < -margin else "UNDECIDED"), ""


def _verdict(audit: Audit, number: int, condition: str, method: str) -> Outcome | None:
    verdict = next((each for each in audit.result.method_verdicts if each.method == method), None)
    criteria = verdict.criteria if verdict else ()
    decisions = (one for each in criteria if each.criterion == number for one in each.decisions)
    return next((each.outcome for each in decisions if each.condition == condition), None)


def _without_comparison(number: int, method: str, condition: str, reason: str) -> CriterionChange:
    return CriterionChange(method=method, criterion=number, condition=condition, outcome="NOT COMPARED", reason=reason)
