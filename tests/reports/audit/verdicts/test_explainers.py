"""Real audits of explainers whose fault is known: each has the verdict, and the reason, of its fault."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_explainers import METHODS, N, registered
from small_audits import store_in

from pipeline.store.results import open_results
from reports.audit.method_tables import methods
from reports.audit.readings import Readings
from reports.audit.threats import conditions
from reports.audit.verdicts.criteria import Criterion, default_criteria
from reports.audit.verdicts.decisions import Decision, Outcome
from reports.audit.verdicts.evidence import Evidence
from reports.audit.verdicts.judging import MethodVerdict, judge_methods
from reports.audit.verdicts.multiverse import explore
from reports.audit.verdicts.reasons import Reason, reason_texts
from reports.audit.verdicts.section import judge_audit

DOCS = Path(__file__).parents[4] / "docs"
CRITERIA = default_criteria()
OF_MAPS = tuple(each for each in CRITERIA if not each.quantity.is_of_clean_maps and each.condition != "attacks")


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
        ("made_template", "FAIL", Reason.IGNORES_NETWORK),
        ("edges", "FAIL", Reason.IGNORES_NETWORK),
        ("made_class_blind_drawn", "FAIL", Reason.NOT_FAITHFUL),
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


def decisions(verdict: MethodVerdict) -> dict[str, Decision]:
    return {CRITERIA[each.criterion].sentence: each.decided_by for each in verdict.criteria}


def test_the_correct_explainer_misses_no_criterion(verdicts: dict[str, MethodVerdict]) -> None:
    """A blur of some images says nothing, which is a warning; re-draws of a network this small decide little."""
    decided = decisions(verdicts["made_closed_form"])
    assert len(decided) == len(CRITERIA)
    assert [decided[each.sentence].outcome for each in OF_MAPS] == ["PASS"] * len(OF_MAPS)
    assert {decided[each.sentence].n for each in OF_MAPS} == {N}
    for criterion in CRITERIA:
        if criterion.quantity.source == "lead":
            assert decided[criterion.sentence].outcome in {"PASS", "WARN"}
            assert (decided[criterion.sentence].low or 0) > 0
        if criterion.metric == "weights_similarity":
            assert (decided[criterion.sentence].outcome, decided[criterion.sentence].n) == ("PASS", 5)


@pytest.mark.parametrize(
    ("method", "metric", "reason"),
    [
        ("edges", "srg_above_edges", Reason.NOT_FAITHFUL),
        ("edges", "weights_similarity", Reason.IGNORES_NETWORK),
        ("edges", "weights_similarity_above_other_image", Reason.IGNORES_NETWORK),
        ("made_fixed", "weights_similarity", Reason.IGNORES_NETWORK),
        ("made_drawn", "weights_similarity", Reason.IGNORES_NETWORK),
        ("made_template", "weights_similarity", Reason.IGNORES_NETWORK),
        ("made_template", "weights_similarity_above_other_image", Reason.IGNORES_NETWORK),
        ("made_class_blind", "srg_above_edges", Reason.NOT_FAITHFUL),
        ("made_class_blind_drawn", "srg_above_random", Reason.NOT_FAITHFUL),
        ("made_class_blind_drawn", "own_class", Reason.LOSES_CLASS),
    ],
)
def test_each_fault_fails_the_criterion_that_asks_for_it(
    verdicts: dict[str, MethodVerdict], method: str, metric: str, reason: Reason
) -> None:
    found = [each.decided_by for each in verdicts[method].criteria if CRITERIA[each.criterion].metric == metric]
    assert {(each.outcome, each.reason) for each in found} == {("FAIL", reason)}


def test_a_template_for_each_class_is_caught_though_it_never_moves(verdicts: dict[str, MethodVerdict]) -> None:
    """Its maps are those of their own image and class, whatever the noise; but their order tells of no network."""
    found = decisions(verdicts["made_template"])
    assert [found[each.sentence].outcome for each in OF_MAPS] == ["PASS"] * len(OF_MAPS)
    leads = [found[each.sentence] for each in CRITERIA if each.quantity.source == "lead"]
    assert all(each.outcome not in {"PASS", "WARN"} for each in leads)


@pytest.mark.parametrize(
    ("method", "note"),
    [
        ("edges", "stable because unfaithful"),
        ("made_class_blind", "stable because unfaithful"),
        ("made_template", "stable, not shown to be faithful"),
        ("made_closed_form", ""),
        ("made_fixed", ""),
        ("made_drawn", ""),
        ("made_constant", ""),
    ],
)
def test_what_is_stable_and_not_faithful_is_called_so(
    verdicts: dict[str, MethodVerdict], method: str, note: str
) -> None:
    assert verdicts[method].note == note


def test_an_undefined_map_has_no_order_and_no_likeness(
    verdicts: dict[str, MethodVerdict],
) -> None:
    for method in ("made_constant", "made_not_finite"):
        found = decisions(verdicts[method])
        again = [found[each.sentence] for each in CRITERIA if each.quantity.is_of_clean_maps]
        assert {each.reason for each in again} == {Reason.NOT_MEASURED}
        assert all(each.undefined == each.n_asked > 0 for each in again)


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
    (verdict,) = judge_methods(evidence, OF_MAPS, [method])
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
    assert (found.agreeing, found.settings, found.turned_by, found.is_fragile) == (72, 72, (), False)


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
