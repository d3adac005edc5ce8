"""Whether a method may be used, and for what: each use that was asked for has the worst outcome of its criteria."""

from itertools import product

import pytest

from reports.audit.verdicts.criteria import Criterion, default_criteria
from reports.audit.verdicts.decisions import SEVERITY, Outcome, open_decision
from reports.audit.verdicts.judging import CriterionVerdict, MethodVerdict
from reports.audit.verdicts.reasons import Reason, reason_in_short
from reports.audit.verdicts.uses import ANSWERS, CLASS, EVIDENCE, NOT_EVIDENCE, PLACES, UNKNOWN_EVIDENCE, uses_in_words

NOISE, ATTACKS = PLACES["noise"], PLACES["attacks"]


def asked(metric: str, condition: str = "clean") -> Criterion:
    return Criterion(metric=metric, condition=condition, at_least=0.5, why="test")


CRITERIA = (
    asked("srg_above_random"), asked("srg_above_edges"), asked("own_class"), asked("own_image", "noise"),
    asked("own_image", "attacks"), asked("own_class", "noise"),
)  # fmt: skip


def verdict(criteria: tuple[Criterion, ...], outcomes: tuple[Outcome, ...]) -> MethodVerdict:
    """Return a verdict whose criteria have given outcomes."""
    each = tuple(
        CriterionVerdict(criterion=number, decisions=(decision,), decided_by=decision)
        for number, (criterion, outcome) in enumerate(zip(criteria, outcomes, strict=True))
        for decision in [open_decision(criterion, Reason.UNDECIDED).model_copy(update={"outcome": outcome})]
    )
    worst = max(outcomes, key=SEVERITY.index)
    return MethodVerdict(method="srd", outcome=worst, reason=Reason.UNDECIDED, criteria=each, decided_by=0)


def told(*outcomes: Outcome, criteria: tuple[Criterion, ...] = CRITERIA) -> tuple[str, ...]:
    return uses_in_words(verdict(criteria, outcomes), criteria)


def test_a_use_is_told_by_the_worst_outcome_of_its_criteria() -> None:
    assert told("PASS", "PASS", "PASS", "PASS", "FAIL", "INCONCLUSIVE") == (
        f"No: {ATTACKS}",
        f"Not known: {NOISE}",
        f"Yes: {EVIDENCE} and {CLASS}",
    )


def test_a_pass_with_undefined_values_says_so() -> None:
    second, first = told("PASS", "PASS", "WARN", "PASS", "PASS", "PASS")
    assert first == f"Yes: {EVIDENCE}, {NOISE} and {ATTACKS}"
    assert second == f"{ANSWERS['WARN']}: {CLASS}"


@pytest.mark.parametrize("lead", ["PASS", "FAIL"])
def test_what_does_not_show_the_evidence_is_of_no_use_however_stable(lead: Outcome) -> None:
    assert told(lead, "FAIL", "PASS", "PASS", "PASS", "PASS") == (NOT_EVIDENCE,)
    assert told(lead, "INCONCLUSIVE", "PASS", "PASS", "PASS", "PASS")[0] == (
        UNKNOWN_EVIDENCE if lead == "PASS" else NOT_EVIDENCE
    )


def test_evidence_that_no_criterion_asks_for_is_not_claimed() -> None:
    criteria = (asked("own_image", "noise"), asked("own_image", "pgd"))
    assert told("PASS", "PASS", criteria=criteria) == (
        f"Yes: {NOISE} and under pgd",
        f"Not asked: {EVIDENCE}",
    )


def test_each_use_is_told_once_whatever_the_outcomes() -> None:
    for outcomes in product(SEVERITY, repeat=4):
        text = " ".join(told("PASS", "PASS", *outcomes))
        assert [text.count(use) for use in (EVIDENCE, CLASS, NOISE, ATTACKS)] == [1, 1, 1, 1]


def test_a_method_is_used_for_all_that_the_shipped_criteria_ask_only_if_it_passes() -> None:
    criteria = default_criteria()
    (sentence,) = told(*["PASS"] * len(criteria), criteria=criteria)  # type: ignore[arg-type]
    assert sentence == f"Yes: {EVIDENCE}, {CLASS}, {NOISE} and {ATTACKS}"


def test_cells_tell_reasons_in_words() -> None:
    assert reason_in_short(Reason.IGNORES_CLASS) == "ignores class"
    assert reason_in_short(Reason.MET) == ""
    assert not any("_" in reason_in_short(reason) for reason in Reason)
