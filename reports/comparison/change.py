"""The change from one audit to another: a test for each criterion, method and condition."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from reports.audit.verdicts.criteria import Criterion
from reports.audit.verdicts.decisions import Outcome
from reports.audit.verdicts.evidence import Evidence
from reports.audit.verdicts.reasons import IN_WORDS, Reason
from reports.comparison.audits import Audit
from reports.comparison.change_result import Change, CriterionChange, RunOutcome
from reports.comparison.paired_differences import PairedDifferences
from reports.comparison.pairing import is_one_network, notes, unlike_measurement
from reports.families import is_control


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
        tested = PairedDifferences(after[is_pair] - before[is_pair], criterion, self._is_one_network)
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


def _verdict(audit: Audit, number: int, condition: str, method: str) -> Outcome | None:
    verdict = next((each for each in audit.result.method_verdicts if each.method == method), None)
    criteria = verdict.criteria if verdict else ()
    decisions = (one for each in criteria if each.criterion == number for one in each.decisions)
    return next((each.outcome for each in decisions if each.condition == condition), None)


def _without_comparison(number: int, method: str, condition: str, reason: str) -> CriterionChange:
    return CriterionChange(method=method, criterion=number, condition=condition, outcome="NOT COMPARED", reason=reason)
