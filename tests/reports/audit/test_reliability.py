"""One place decides whether an attack is reliable, and page, tables and captions quote it."""

from collections.abc import Callable

import pytest

from reports.audit import maps, scale, stability, transfer
from reports.audit.reliability import LEAD, NO_CONTROL, judge_attack, lead_check
from reports.audit.searches import Check, SearchQuality
from reports.audit.sections import AuditResult
from reports.result import Estimate

Made = Callable[..., AuditResult]
GOOD = Check(name="loss falls", passed=True, detail="on 8 of 8 images")
BAD = Check(name="beats random noise of equal size", passed=False, detail="mean gain -0.1")
OPEN = Check(name="gradient agrees with finite differences", passed=None, detail="it uses none")


def lead(low: float | None, high: float | None, value: float = 0.1, n: int = 9) -> Check:
    return lead_check(
        Estimate(value=value, low=low, high=high, n=n, unit="", interval="BCa bootstrap", reason="none", excluded={})
    )


@pytest.mark.parametrize(
    ("checks", "verdict", "counts"),
    [
        ((GOOD, lead(0.05, 0.2)), "", "2 of 2 checks passed"),
        ((GOOD, OPEN), "", "1 of 1 checks passed"),
        ((GOOD, lead(-0.05, 0.2)), "attack unreliable", "1 of 2 checks passed"),
        ((BAD, lead(0.05, 0.2)), "attack unreliable", "1 of 2 checks passed"),
        ((BAD, lead_check(None)), "attack unreliable", "0 of 1 checks passed"),
        ((GOOD, lead_check(None)), "attack unchecked", "1 of 1 checks passed"),
        ((GOOD, lead(None, None, n=4)), "attack unchecked", "1 of 1 checks passed"),
        ((GOOD, lead(None, None, value=0.0)), "attack unreliable", "1 of 2 checks passed"),
    ],
)
def test_no_attack_in_doubt_passed_all_checks(checks: tuple[Check, ...], verdict: str, counts: str) -> None:
    judged = judge_attack("attack", checks)
    assert (judged.verdict, judged.counts_in_words) == (verdict, counts)
    assert bool(judged.reason) == bool(verdict)


def test_the_reason_names_every_check_that_failed() -> None:
    reason = judge_attack("attack", (BAD, GOOD, lead(-0.05, 0.2))).reason
    assert reason.startswith("beats random noise of equal size: no, mean gain -0.1; ")
    assert f"{LEAD}: no, mean lead +0.100" in reason
    assert judge_attack("attack", (GOOD, lead_check(None))).reason == NO_CONTROL


VALUES = {"srd": 0.9, "saliency": 0.8, "random": 0.0}
ATTACKS = ("manipulate:srd@8/255", "manipulate:saliency@8/255")


@pytest.mark.parametrize("verdict", ["attack unreliable", "attack unchecked"])
def test_every_table_quotes_the_verdict(made: Made, verdict: str) -> None:
    searches = tuple(SearchQuality.model_construct(condition=name, values={}) for name in ATTACKS)
    result = made(dict.fromkeys(ATTACKS, VALUES), verdicts={ATTACKS[1]: verdict}, searches=searches, evidence={})
    tables = (
        scale.table(result),
        scale.calibrated_table(result),
        stability.table(result, "pearson", "all"),
        transfer.table(result.transfer[0], {}),
        transfer.searches_table(result),
    )
    for table in tables:
        doubted = [cell for row in table.rows for cell in row if verdict in f"{cell.text} {cell.detail}"]
        assert [cell.mark for cell in doubted] == ["unreliable"], table.caption
    frame = stability.frame(result).query("verdict != ''")
    assert frame[["condition", "method", "verdict"]].to_numpy().tolist() == [[ATTACKS[1], "saliency", verdict]]


def test_the_maps_under_an_attack_in_doubt_stand_under_its_verdict(made: Made) -> None:
    cases = tuple(maps.Case.model_construct(condition=name, title=name) for name in ATTACKS)
    result = made(dict.fromkeys(ATTACKS, VALUES), verdicts={ATTACKS[1]: "attack unreliable"}, cases=cases)
    shown = maps.MAPS.body(result.model_copy(update={"overview": ()}), {})["cases"]
    assert [title for title, _ in shown] == [ATTACKS[0], f"{ATTACKS[1]} (attack unreliable)"]  # type: ignore[attr-defined]
