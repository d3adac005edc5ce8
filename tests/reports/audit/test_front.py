"""What stands at the top of the page: the verdict, the headline figure, the worst case and the findings."""

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest

from reports.audit import one_file, page
from reports.audit.findings import ADVICE, findings
from reports.audit.headline import headline_frame
from reports.audit.sections import AuditResult
from reports.audit.summary import worst_case
from reports.audit.verdicts.judging import MethodVerdict
from reports.audit.verdicts.reasons import Reason
from reports.families import is_control

Made = Callable[..., AuditResult]
AT_8 = {
    "manipulate:srd@8/255": {"srd": 0.5, "saliency": 0.9},
    "manipulate:saliency@8/255": {"srd": 0.9, "saliency": 0.3},
    "random_sign@8/255": {"srd": 0.95, "saliency": 0.8, "random": 0.0},
}


@pytest.fixture(scope="module")
def result(folder: Path) -> AuditResult:
    return AuditResult.model_validate_json((folder / "audit.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def text(folder: Path) -> str:
    return (folder / "report" / "index.html").read_text(encoding="utf-8")


def test_the_header_tells_the_verdict_by_word_and_shape(result: AuditResult, text: str) -> None:
    assert result.audit_verdict is not None
    header = text[: text.index("</header>")]
    shape, word = re.findall(r'<strong><span aria-hidden="true">(.)</span> (\w+)</strong>', header)[0]
    assert word == result.audit_verdict.outcome
    assert shape in "✓!✗?"


def test_the_page_goes_from_the_verdict_to_the_evidence(text: str) -> None:
    order = ('class="verdict', '<ol class="summary">', "<span>Verdicts, the worst first</span>",
             'src="figures/headline.svg"',
             'class="finding', "Audited: ", "How the verdicts were made")  # fmt: skip
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    lead = text[places[1] :].partition("</ol>")[0]
    assert lead.count("<li>") == 3


def test_every_decision_that_is_no_pass_is_a_number_of_one_finding(result: AuditResult) -> None:
    told = [number for finding in result.findings for number in finding.numbers]
    for verdict in result.method_verdicts:
        for each in verdict.criteria:
            start, end = (
                f"{result.title_of(verdict.method)}: ",
                f". Required: {result.criteria[each.criterion].sentence}",
            )
            is_told = not is_control(verdict.method) and each.decided_by.outcome != "PASS"
            assert sum(number.startswith(start) and number.endswith(end) for number in told) == is_told


def test_findings_say_what_so_what_and_what_to_do(result: AuditResult, text: str) -> None:
    shown = unescape(re.sub(r"<[^>]+>", "", text))
    assert result.findings
    for finding in result.findings:
        assert all(part in shown for part in (finding.what, finding.so_what, finding.what_to_do))


def test_every_reason_but_success_has_advice() -> None:
    assert set(ADVICE) == set(Reason) - {Reason.MET}


def test_a_control_that_passes_is_a_finding(result: AuditResult) -> None:
    passing = tuple(
        each.model_copy(update={"outcome": "PASS"}) if is_control(each.method) else each
        for each in result.method_verdicts
    )
    found = findings(result.model_copy(update={"method_verdicts": passing}))
    assert any("a control meets every criterion" in each.what for each in found)


def test_the_headline_shows_the_noise_and_the_reliable_attack_that_moved_maps_most(made: Made) -> None:
    doubted = {"manipulate:saliency@8/255": "attack unreliable"}
    frame = headline_frame(made(AT_8, verdicts=doubted))
    found = {(row["method"], row["kind"]): row["value"] for _, row in frame.iterrows()}
    assert found == {
        ("srd", "noise"): 0.95,
        ("srd", "attack"): 0.5,
        ("saliency", "noise"): 0.8,
        ("random", "noise"): 0.0,
    }


def test_the_case_at_the_top_is_the_worst_that_a_reliable_attack_made(result: AuditResult) -> None:
    case = worst_case(result)
    reliable = {each.condition for each in result.verdicts if not each.verdict}
    if case is None:
        assert not {each.condition for each in result.cases} & reliable
    else:
        assert case.condition in reliable
        assert case.rank == "worst"
        moved = {each.method for each in result.method_verdicts if _is_moved_by_attack(each)}
        shown = {each.clean.method for each in result.cases if each.condition in reliable}
        assert case.clean.method in (moved & shown or shown)
    doubted = tuple(each.model_copy(update={"verdict": "attack unreliable"}) for each in result.verdicts)
    assert worst_case(result.model_copy(update={"verdicts": doubted})) is None


def _is_moved_by_attack(verdict: MethodVerdict) -> bool:
    return any(each.decided_by.reason == Reason.MOVED_BY_ATTACK for each in verdict.criteria)


def test_a_file_that_would_be_too_large_leaves_out_maps_and_says_so(
    folder: Path, result: AuditResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheets = {f"maps/{file.name}": file.read_bytes() for file in (folder / "report" / "maps").iterdir()}
    whole = one_file.mailed_page(result, (), sheets)
    assert "leaves out" not in whole
    most = len(whole.encode()) - 100_000
    monkeypatch.setattr(one_file, "MOST", most)
    smaller = one_file.mailed_page(result, (), sheets)
    assert len(smaller.encode()) <= most
    assert re.search(r"this file leaves out \d+ pictures? of maps", smaller)
    assert smaller.count("<use ") < whole.count("<use ")
    assert len(result.cases) == len(AuditResult.model_validate(result.model_dump()).cases)


def test_a_summary_that_would_be_too_long_leaves_out_tables_and_says_so(
    result: AuditResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = page.markdown(result)
    monkeypatch.setattr(page, "LONGEST", len(whole.encode()) - 1)
    shorter = page.markdown(result)
    assert len(shorter.encode()) < len(whole.encode())
    assert "Left out here, so that this text fits into a comment: 1 table." in shorter
    assert "\n\n\n" not in shorter
