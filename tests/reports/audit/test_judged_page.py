"""The page of a finished run tells the verdict first, and shows comparisons and sensitivity with all their numbers."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from pipeline.plan.schema import REASONS, Reason
from reports.audit import page
from reports.audit.draws import UNITS
from reports.audit.readings import Readings
from reports.audit.run_record import RunRecord
from reports.audit.sections import AuditResult
from reports.audit.summarise import summarise
from reports.families import is_control

FILES = ("comparisons", "ranks", "concordance", "noise-equivalence", "sensitivity", "coupling-exploratory",
         "faithfulness", "removal-controls", "removal-curves", "removal-leads", "faithful-and-stable",
         "faithful-under-attack", "randomisation", "randomisation-floor", "complexity-rise")  # fmt: skip
AGAIN = ("faithfulness", "faithful_and_stable", "randomisation")
"""The sections on what the network was asked again."""


@pytest.fixture(scope="module")
def result(folder: Path) -> AuditResult:
    return AuditResult.model_validate_json((folder / "audit.json").read_text(encoding="utf-8"))


def sentences_of(text: str) -> Iterator[str]:
    """The texts of paragraphs and of list items, without the spec, and without a case that the maps show again."""
    text = re.sub(r'<figure class="case".*?</figure>', "", text, flags=re.DOTALL)
    for part in re.findall(r"<(?:p|li)[^>]*>(.*?)</(?:p|li)>", text, re.DOTALL):
        yield unescape(re.sub(r"<[^>]+>", "", part)).strip()


def test_the_summary_begins_with_the_verdict_wherever_it_stands(folder: Path, result: AuditResult) -> None:
    verdict = result.audit_verdict
    assert verdict is not None
    assert result.summary[0].startswith(f"{verdict.outcome}:")
    text, summary = (
        (folder / "report" / "index.html").read_text(encoding="utf-8"),
        (folder / "summary.md").read_text(encoding="utf-8"),
    )
    assert next(sentences_of(text[text.index('<section id="summary">') :])) == result.summary[0]
    assert f"1. {result.summary[0]}" in summary


def test_no_sentence_of_summary_comparisons_or_sensitivity_stands_twice(folder: Path) -> None:
    text = (folder / "report" / "index.html").read_text(encoding="utf-8")
    everywhere = unescape(re.sub(r"<[^>]+>", "", text))
    for section in ("summary", "verdicts", *AGAIN, "comparisons", "sensitivity"):
        body = text[text.index(f'<section id="{section}">') :].partition("\n</section>\n")[0]
        parts = [part for told in sentences_of(body) for part in re.split(r"(?<=[a-z)])\. ", told)]
        assert len(parts) >= 3
        assert [part for part in parts if everywhere.count(part) > 1] == []


def test_the_family_is_srd_against_every_other_method_that_is_no_control(result: AuditResult) -> None:
    others = [each.name for each in result.methods if each.name != "srd" and not is_control(each.name)]
    assert [each.method for each in result.family] == others
    assert {each.method for each in result.rank_orders[0].ranks} == {each.name for each in result.methods}
    assert [each.category for each in result.concordances] == ["similarity", "localisation", "faithfulness"]
    attacked = {each.against for each in result.conditions if each.name == "manipulate"}
    assert {each.method for each in result.noise_equivalences} == attacked


def test_every_method_is_asked_whether_it_is_faithful_and_depends_on_the_weights(
    result: AuditResult, dataset: xr.Dataset
) -> None:
    """The controls of a spec are the controls of the run: their SRG differs from themselves by nothing."""
    methods, measure = {each.name for each in result.methods}, Readings(dataset).attributes.fingerprinted.spec.measure
    assert (result.asked_about, result.explained_again) == (measure.n_faithfulness, measure.n_randomise)
    assert {each.method for each in result.faithfulness} == {each.method for each in result.tradeoffs} == methods
    assert {each.method for each in result.depth_similarities} == methods
    assert [each.method for each in result.redrawn_rows] == [each.name for each in result.methods]
    itself = [each for each in result.removal_leads if each.method == each.over and not each.is_control]
    assert {each.method for each in itself} == {"random", "edges"}
    assert {each.difference.value for each in itself if each.fill == "blur"} == {0.0}
    moved = {each.method: each.estimate.value for each in result.depth_similarities if each.depth == "4/4"}
    assert (moved["edges"], moved["random"]) == pytest.approx((1, 1))
    assert abs(moved["srd"] or 1) < 0.5


def test_every_method_has_every_sensitivity_to_every_noise(result: AuditResult) -> None:
    noise = [each.id for each in result.conditions if each.family == "noise"]
    drawn = {(condition, method.name, name) for condition in noise for method in result.methods
             for name in UNITS if name != "lipschitz_found"}  # fmt: skip
    found = {("", method.name, "lipschitz_found") for method in result.methods}
    assert {(each.condition, each.method, each.name) for each in result.sensitivities} == drawn | found
    assert len(noise) >= 2


@pytest.mark.parametrize("name", FILES)
def test_each_table_has_a_file_with_all_its_numbers(folder: Path, result: AuditResult, name: str) -> None:
    rows = {
        "comparisons": len(result.family),
        "ranks": sum(len(order.ranks) for order in result.rank_orders),
        "concordance": len(result.concordances),
        "noise-equivalence": len(result.noise_equivalences),
        "sensitivity": len(result.sensitivities),
        "coupling-exploratory": sum(1 + (each.beyond_edges is not None) for each in result.couplings),
        "faithfulness": len(result.faithfulness),
        "removal-controls": len(result.control_scores),
        "removal-curves": sum(len(curve.points) for curve in result.removal_curves),
        "removal-leads": len(result.removal_leads),
        "faithful-and-stable": len(result.tradeoffs),
        "faithful-under-attack": len(result.faithful_under_attack),
        "randomisation": len(result.depth_similarities),
        "randomisation-floor": len(result.redrawn_floors),
        "complexity-rise": len(result.complexity_rises),
    }
    frame = pd.read_csv(folder / "report" / "data" / f"{name}.csv")
    assert len(frame) == rows[name] > 0


def test_what_is_no_family_is_called_exploratory(folder: Path) -> None:
    text = (folder / "report" / "index.html").read_text(encoding="utf-8")
    for section, declared in (("comparisons", 1), ("sensitivity", 3)):
        body = text[text.index(f'<section id="{section}">') :].partition("\n</section>\n")[0]
        captions = re.findall(r"<caption><span>(.*?)</span>", body)
        assert sum(not caption.startswith("Exploratory") for caption in captions) == declared, captions


@pytest.mark.parametrize("reason", [Reason.NO_CONTRAST, Reason.NOT_FINITE])
def test_undefined_maps_are_counted_by_reason_beside_the_verdicts(dataset: xr.Dataset, reason: Reason) -> None:
    method, condition = "saliency", "gaussian_noise@0.1"
    score, codes = dataset["score"].copy(deep=True), dataset["reason"].copy(deep=True)
    where = {"method": method, "perturbation": condition}
    for row in (0, 2):
        score[row].loc[where] = np.nan
        codes[row].loc[where] = reason
    broken = summarise(Readings(dataset.assign(score=score, reason=codes)), RunRecord({"perturb": (1, 1)}))
    text = page.html(broken, [], [])
    body = unescape(text[text.index('<section id="verdicts">') :].partition("\n</section>\n")[0])
    assert f"2: {REASONS[reason]}" in body
    assert f"2 of {dataset.sizes['image']}" in body
    rows = page.frames(broken)["verdicts"]
    assert set(rows[rows["undefined"] > 0]["method"]) == {method}
