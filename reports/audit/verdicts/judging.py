"""The verdicts: of each criterion on a method, of each method, and of the audit."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from reports.audit.verdicts.criteria import Criterion
from reports.audit.verdicts.decisions import SEVERITY, Decision, Outcome, Rule, decide, open_decision
from reports.audit.verdicts.evidence import BASE, Evidence, Setting
from reports.audit.verdicts.failures import failure_reason
from reports.audit.verdicts.notes import Note, note_of
from reports.audit.verdicts.reasons import Reason, precedence
from reports.result import ResultModel


class CriterionVerdict(ResultModel):
    """The verdict of one criterion on one method."""

    criterion: int
    """The position of the criterion in the list of all."""
    decisions: tuple[Decision, ...]
    """The decision under each condition that the criterion means; all must pass."""
    decided_by: Decision
    """The worst of them."""


class MethodVerdict(ResultModel):
    """The verdict on a method: the worst of its criteria."""

    method: str
    outcome: Outcome
    reason: Reason
    criteria: tuple[CriterionVerdict, ...]
    decided_by: int
    """The position, among `criteria`, of the one that decided."""
    note: Note = ""
    """What stability and faithfulness say together."""

    @property
    def deciding(self) -> CriterionVerdict:
        """Return the verdict of the criterion that decided."""
        return self.criteria[self.decided_by]


def judge_methods(
    evidence: Evidence, criteria: Sequence[Criterion], methods: Iterable[str], setting: Setting = BASE
) -> tuple[MethodVerdict, ...]:
    """Return the verdict on each method that any criterion names."""
    return Judge(evidence, criteria).judge(methods, setting)


@dataclass(frozen=True)
class Judge:
    """Criteria, and the evidence by which they are judged. What several settings share is judged once."""

    evidence: Evidence
    criteria: Sequence[Criterion]

    def judge(self, methods: Iterable[str], setting: Setting = BASE) -> tuple[MethodVerdict, ...]:
        """Return the verdict on each method that any criterion names."""
        judged = ((method, self._judge_criteria(method, setting)) for method in methods)
        return tuple(_method_verdict(method, verdicts, self.criteria) for method, verdicts in judged if verdicts)

    def _judge_criteria(self, method: str, setting: Setting) -> tuple[CriterionVerdict, ...]:
        return tuple(
            self._judge_criterion(number, method, setting.meant_by(criterion))
            for number, criterion in enumerate(self.criteria)
            if criterion.judges(method)
        )

    def _judge_criterion(self, number: int, method: str, setting: Setting) -> CriterionVerdict:
        key = number, method, setting
        if key not in self._known:
            self._known[key] = _judge_criterion(self.evidence, number, self.criteria[number], method, setting)
        return self._known[key]

    @cached_property
    def _known(self) -> dict[tuple[int, str, Setting], CriterionVerdict]:
        return {}


def worst_outcome(verdicts: Iterable[MethodVerdict]) -> Outcome:
    """Return the worst outcome: that of the audit, if these are the verdicts on the methods that it is asked about."""
    return max((verdict.outcome for verdict in verdicts), key=SEVERITY.index)


def worst_first(verdicts: Iterable[MethodVerdict]) -> list[MethodVerdict]:
    """Return verdicts, the worst outcome first, among equals the reason that takes precedence, then the widest miss."""
    return sorted(verdicts, key=lambda each: (-SEVERITY.index(each.outcome), precedence(each.reason), -_miss(each)))


def _miss(verdict: MethodVerdict) -> float:
    """Return how far the value that decided a FAIL lies from its bound."""
    decision = verdict.deciding.decided_by
    return abs(decision.value - decision.bound) if verdict.outcome == "FAIL" and decision.value is not None else 0.0


def _judge_criterion(
    evidence: Evidence, number: int, criterion: Criterion, method: str, setting: Setting
) -> CriterionVerdict:
    selected = evidence.select(criterion, method)
    decisions: tuple[Decision, ...]
    if isinstance(selected, Reason):
        decisions = (open_decision(criterion, selected),)
    else:
        decisions = tuple(_decide(evidence, criterion, condition, method, setting) for condition in selected)
    return CriterionVerdict(criterion=number, decisions=decisions, decided_by=max(decisions, key=_severity))


def _decide(evidence: Evidence, criterion: Criterion, condition: str, method: str, setting: Setting) -> Decision:
    sample = evidence.sample(criterion, condition, method, setting)
    decision = decide(sample, condition, criterion, Rule.of(criterion).with_misses(setting.miss_factor, criterion))
    if decision.outcome != "FAIL":
        return decision
    reason = failure_reason(criterion, sample, evidence.family_of(condition), evidence.is_repeatable(method))
    return decision.model_copy(update={"reason": reason})


def _method_verdict(
    method: str, verdicts: tuple[CriterionVerdict, ...], criteria: Sequence[Criterion]
) -> MethodVerdict:
    worst = max(range(len(verdicts)), key=lambda number: (_severity(verdicts[number].decided_by), -number))
    decision = verdicts[worst].decided_by
    return MethodVerdict(
        method=method,
        outcome=decision.outcome,
        reason=decision.reason,
        criteria=verdicts,
        decided_by=worst,
        note=note_of([(criteria[each.criterion], each.decided_by) for each in verdicts]),
    )


def _severity(decision: Decision) -> tuple[int, int]:
    """Return how bad a decision is: by its outcome, among equals by the precedence of its reason."""
    return SEVERITY.index(decision.outcome), -precedence(decision.reason)
