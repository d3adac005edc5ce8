"""Real audits of explainers whose fault is known: each has the verdict, and the reason, of its fault."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_explainers import METHODS, N, registered
from small_audits import store_in

from pipeline.store.results import open_results
from reports.audit.identity_tables import methods
from reports.audit.readings import Readings
from reports.audit.threats import conditions
from reports.audit.verdicts.criteria import Criterion, default_criteria
from reports.audit.verdicts.decisions import Outcome
from reports.audit.verdicts.evidence import Evidence
from reports.audit.verdicts.judging import MethodVerdict, judge_methods
from reports.audit.verdicts.multiverse import explore
from reports.audit.verdicts.reasons import Reason, reason_texts
from reports.audit.verdicts.section import judge_audit

DOCS = Path(__file__).parents[4] / "docs"
CRITERIA = default_criteria()
MEASURED = tuple(each for each in CRITERIA if not each.quantity.waits_for and each.condition != "attacks")
OPEN = {Reason.NOT_ATTACKED, Reason.NOT_MEASURED}


@pytest.fixture(scope="module")
def evidence(explained: Path) -> Iterator[Evidence]:
    with registered():
        readings = Readings(open_results(store_in(explained)).load())
        yield Evidence(readings, methods(readings), conditions(readings), ())


@pytest.fixture(scope="module")
def verdicts(evidence: Evidence) -> dict[str, MethodVerdict]:
    return {each.method: each for each in judge_methods(evidence, CRITERIA, METHODS)}


@pytest.mark.parametrize(
    ("method", "outcome", "reason"),
    [
        ("made_closed_form", "INCONCLUSIVE", Reason.NOT_ATTACKED),
        ("made_constant", "FAIL", Reason.UNDEFINED_MAPS),
        ("made_not_finite", "FAIL", Reason.UNDEFINED_MAPS),
        ("made_fixed", "FAIL", Reason.IGNORES_IMAGE),
        ("made_fixed_drawn", "FAIL", Reason.IGNORES_IMAGE),
        ("made_class_blind", "FAIL", Reason.IGNORES_CLASS),
        ("edges", "FAIL", Reason.IGNORES_CLASS),
        ("made_class_blind_drawn", "FAIL", Reason.LOSES_CLASS),
        ("made_drawn", "FAIL", Reason.NOT_REPEATABLE),
        ("made_blotted", "INCONCLUSIVE", Reason.NOT_ATTACKED),
        ("made_predicted_only", "INCONCLUSIVE", Reason.NOT_ATTACKED),
    ],
)
def test_each_explainer_has_the_verdict_of_its_fault(
    verdicts: dict[str, MethodVerdict], method: str, outcome: Outcome, reason: Reason
) -> None:
    assert (verdicts[method].outcome, verdicts[method].reason) == (outcome, reason)
    assert verdicts.keys() == set(METHODS)


def test_the_correct_explainer_passes_all_that_was_measured(verdicts: dict[str, MethodVerdict]) -> None:
    decided = [decision for each in verdicts["made_closed_form"].criteria for decision in each.decisions]
    assert len(decided) == len(CRITERIA)
    assert [each.outcome for each in decided if each.reason not in OPEN] == ["PASS"] * len(MEASURED)
    assert {each.n for each in decided if each.outcome == "PASS"} == {N}


@pytest.mark.parametrize(
    ("method", "outcomes"),
    [
        ("made_closed_form", ["PASS", "PASS", "PASS"]),
        ("made_predicted_only", ["PASS", "PASS", "PASS"]),
        ("made_class_blind", ["PASS", "FAIL", "FAIL"]),
        ("made_fixed_drawn", ["FAIL", "FAIL", "FAIL"]),
        ("made_drawn", ["FAIL", "FAIL", "FAIL"]),
    ],
)
def test_only_the_criteria_that_a_fault_touches_fail(evidence: Evidence, method: str, outcomes: list[Outcome]) -> None:
    """The criteria: own image under noise, own class on clean images and under noise."""
    (verdict,) = judge_methods(evidence, MEASURED, [method])
    assert [each.decided_by.outcome for each in verdict.criteria] == outcomes
    worst = "FAIL" if "FAIL" in outcomes else "PASS"
    assert verdict.outcome == worst
    audit = judge_audit([verdict], [method])
    assert audit is not None
    assert audit.outcome == worst


@pytest.mark.parametrize("method", ["made_constant", "made_fixed", "made_class_blind"])
def test_no_setting_turns_the_verdict_on_a_fault(
    evidence: Evidence, verdicts: dict[str, MethodVerdict], method: str
) -> None:
    found = explore(evidence, CRITERIA, [verdicts[method]])[method]
    assert (found.agreeing, found.settings, found.turned_by, found.is_fragile) == (24, 24, (), False)


def test_a_method_that_may_not_be_attacked_is_never_passed(evidence: Evidence) -> None:
    attacked = Criterion(metric="own_image", condition="attacks", at_least=0.1, why="a test")
    for verdict in judge_methods(evidence, [attacked], METHODS):
        assert (verdict.outcome, verdict.reason) == ("INCONCLUSIVE", Reason.NOT_ATTACKED)


def test_docs_list_all_reasons_in_the_order_of_their_precedence() -> None:
    rows = re.findall(
        r"^\| ((?:`[A-Z_]+`(?:, )?)+) \|", (DOCS / "verdicts.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert re.findall(r"[A-Z_]+", " ".join(rows)) == list(Reason)
    assert [each.code for each in reason_texts()] == list(Reason)
