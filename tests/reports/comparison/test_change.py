"""What changed between two runs of the same images: numbers from both stores, refusals, sentences, and the commands."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import xarray as xr
from command_line import Command
from small_audits import copy_store, store_in

from reports.audit.readings import Readings
from reports.audit.run_record import record_of
from reports.audit.summarise import summarise
from reports.audit.verdicts.criteria import Criterion
from reports.comparison import pairing
from reports.comparison.audits import Audit
from reports.comparison.change import find_change, outcome_of
from reports.comparison.change_result import Change, CriterionChange
from reports.comparison.change_words import change_table, headline, sentence_of_change, summarise_change
from reports.comparison.pairing import reasons_against_pairs
from reports.comparison.summarise import change_of

CRITERIA = (
    Criterion(metric="own_class", condition="clean", at_least=0.5, why="a test"),
    Criterion(metric="own_image", condition="gaussian_noise", at_least=0.5, margin=0.7, why="a test"),
    Criterion(metric="ssim", condition="pgd", at_least=0.1, why="a test"),
    Criterion(metric="srg_above_random", condition="clean", at_least=0.0, why="a test"),
    Criterion(metric="weights_similarity", condition="clean", at_most=0.5, why="a test"),
)
NOISE = "gaussian_noise@0.1"
Make = Callable[[xr.Dataset, str], Audit]


@pytest.fixture(scope="module")
def make(folder: Path) -> Make:
    """Make an audit of a dataset, which may be changed."""

    def audit(dataset: xr.Dataset, name: str) -> Audit:
        readings = Readings(dataset)
        return Audit(name, readings, summarise(readings, record_of(folder, store_in(folder)), CRITERIA))

    return audit


@pytest.fixture(scope="module")
def before(make: Make, dataset: xr.Dataset) -> Audit:
    return make(dataset, "old")


@pytest.fixture(scope="module")
def after(make: Make, dataset: xr.Dataset) -> Audit:
    """The same run, in which Saliency has lost its class, and two images their own map under noise."""
    changed = dataset.copy(deep=True)
    where: Any = {"method": "saliency"}
    changed["other_class_similarity"].loc[where] = 1.0
    changed["score"].loc[{**where, "metric": "pearson"}] = 0.9
    changed["target_similarity"].loc[{**where, "perturbation": NOISE}] = 0.0
    changed["target_similarity"].loc[{**where, "perturbation": NOISE, "image": dataset["image"][:2]}] = 0.95
    changed["score"].loc[{**where, "metric": "ssim"}] = dataset["score"].sel({**where, "metric": "ssim"}) - 0.05
    return make(changed, "new")


@pytest.fixture(scope="module")
def change(before: Audit, after: Audit) -> Change:
    return change_of(before, after)


def found(change: Change, method: str, criterion: int) -> CriterionChange:
    (one,) = [each for each in change.changes if (each.method, each.criterion) == (method, criterion)]
    return one


def test_a_run_against_itself_is_no_regression(before: Audit) -> None:
    change = change_of(before, replace(before, name="again"))
    assert change.outcome == "NO REGRESSION"
    assert {each.outcome for each in change.changes} == {"NO WORSE"}
    assert not {"random", "edges"} & {each.method for each in change.changes}
    assert change.summary[0] == (
        f"NO REGRESSION from old to again: none of {len(change.changes)} comparisons lost more than its margin."
    )


def test_numbers_are_means_of_what_the_stores_hold(
    change: Change, dataset: xr.Dataset, before: Audit, after: Audit
) -> None:
    where = {"method": "saliency", "metric": "ssim", "perturbation": "pgd@8/255"}
    scores = [np.asarray(each.readings.dataset["score"].sel(where), np.float64) for each in (before, after)]
    ssim = found(change, "saliency", 2)
    assert (ssim.before, ssim.after) == pytest.approx((scores[0].mean(), scores[1].mean()))
    assert ssim.n == len(dataset["image"])
    noise = found(change, "saliency", 1)
    assert (noise.lost, noise.gained, noise.before) == (2, 0, 1.0)
    assert noise.after == pytest.approx(1 - 2 / noise.n)
    srg = found(change, "srd", 3)
    asked = before.readings.qualities.is_asked("srd", "srg")
    assert srg.n == asked.sum() < len(dataset["image"])
    weights = found(change, "srd", 4)
    assert (weights.n, weights.unit) == (5, "re-draw")


def test_a_newly_failed_criterion_is_a_regression(change: Change) -> None:
    """With 6 images every class lost: the interval alone does not show a loss of more than a tenth."""
    own_class = found(change, "saliency", 0)
    assert own_class.verdicts == ("PASS", "FAIL")
    assert (own_class.outcome, own_class.lost) == ("WORSE", 6)
    assert change.outcome == "REGRESSION"
    assert change.summary[0] == f"REGRESSION from old to new: 1 of {len(change.changes)} comparisons is worse."
    assert change.summary[1] == (
        "Saliency, Maps nearer to their own class than to another: 100\N{NO-BREAK SPACE}% before, "
        "0\N{NO-BREAK SPACE}% after, 6 images. 6 images lost it, 0 gained it. "
        "The verdict of this criterion went from PASS to FAIL."
    )


def test_a_loss_within_the_margin_of_its_criterion_is_none(change: Change) -> None:
    """Two of six images: a loss of up to 78 points is possible, and less than a margin of 0.7 is not shown."""
    noise = found(change, "saliency", 1)
    assert (noise.outcome, noise.heading) == ("UNDECIDED", "Gaussian noise, 0.1")
    assert noise.low == pytest.approx(-0.777, abs=1e-3)
    (told,) = [text for text in change.summary if text.startswith("Undecided")]
    assert (
        "Saliency, Maps nearer to their own image than to another under Gaussian noise, 0.1 "
        "(100\N{NO-BREAK SPACE}% before, 67\N{NO-BREAK SPACE}% after, " in told
    )
    assert "up to 78 points may be lost" in told


def test_methods_that_are_named_are_asked_about_alone(before: Audit, after: Audit) -> None:
    change = find_change(before, after, ["srd", "edges"])
    assert {each.method for each in change.changes} == {"srd", "edges"}
    assert change.outcome == "NO REGRESSION"


def test_the_table_shows_every_change_the_worst_first(change: Change) -> None:
    table = change_table(change)
    assert len(table.rows) == len(change.changes)
    assert [cell.text for cell in table.rows[0][:3]] == [
        "Saliency",
        "Maps nearer to their own class than to another",
        "\N{DOWNWARDS ARROW}\N{NO-BREAK SPACE}WORSE",
    ]
    directions = {row[1].detail.splitlines()[-1] for row in table.rows}
    assert directions == {"higher is better", "lower is better"}


def without(audit: Audit, **selected: list[str]) -> Audit:
    """Return an audit as it would be if the run had only these."""
    kept = {name: [each for each in audit.readings.dataset[name].values.tolist() if each not in gone]
            for name, gone in selected.items()}  # fmt: skip
    readings = Readings(audit.readings.dataset.sel(kept))
    conditions = tuple(each for each in audit.result.conditions if each.id in readings.conditions)
    return replace(
        audit, name="less", readings=readings, result=audit.result.model_copy(update={"conditions": conditions})
    )


def test_what_the_newer_run_did_not_measure_is_told_and_open(before: Audit) -> None:
    change = find_change(before, without(before, method=["saliency"], perturbation=["pgd@8/255"]))
    reasons = {(each.method, each.criterion): each.reason for each in change.changes if each.outcome == "NOT COMPARED"}
    assert {reasons["saliency", number] for number in range(5)} == {"less does not explain by it"}
    assert reasons["srd", 2] == "in less the run has no value of it"
    assert ("srd", 0) not in reasons
    assert change.outcome == "INCONCLUSIVE"


def test_what_the_older_run_did_not_measure_is_not_asked(before: Audit) -> None:
    change = find_change(without(before, method=["saliency"], perturbation=["pgd@8/255"]), before)
    assert {each.criterion for each in change.changes} == {0, 1, 3, 4}
    assert "saliency" not in {each.method for each in change.changes}
    assert change.outcome == "NO REGRESSION"


def test_other_options_of_a_perturbation_are_not_compared(before: Audit) -> None:
    def weaker(facts: Any) -> Any:
        if facts.name != "pgd":
            return facts
        budget = tuple(each.model_copy(update={"value": 2} if each.name == "steps" else {}) for each in facts.budget)
        return facts.model_copy(update={"budget": budget})

    perturbations = tuple(map(weaker, before.result.perturbations))
    newer = replace(before, name="new", result=before.result.model_copy(update={"perturbations": perturbations}))
    change = find_change(before, newer)
    told = {each.criterion: each.reason for each in change.changes if each.outcome == "NOT COMPARED"}
    assert list(told) == [2]
    assert "steps = 4" in told[2]
    assert "steps = 2" in told[2]


def test_nothing_to_compare_is_inconclusive() -> None:
    assert outcome_of(()) == "INCONCLUSIVE"
    nothing = Change(before="a", after="b", is_one_network=True, criteria=CRITERIA, changes=(), outcome="INCONCLUSIVE",
                     notes=())  # fmt: skip
    assert headline(nothing) == "INCONCLUSIVE from a to b: a measured nothing that a criterion bounds."
    assert summarise_change(nothing) == (headline(nothing),)


def test_a_loss_that_the_interval_shows_is_told_with_its_least_size_and_the_margin() -> None:
    case = CriterionChange(method="grad_cam", criterion=0, condition="pgd@8/255", heading="PGD, 8/255", outcome="WORSE",
                           before=1.0, after=0.25, low=-0.9, high=-0.55, n=40, gained=0, lost=30)  # fmt: skip
    assert sentence_of_change(case, CRITERIA[0]).replace("\N{NO-BREAK SPACE}", " ") == (
        "Grad-CAM, Maps nearer to their own class than to another under PGD, 8/255: 100 % before, 25 % after, "
        "40 images. 30 images lost it, 0 gained it. "
        "The loss is at least 55 points (95 % bound); 10 points would be within the margin."
    )


def unlike(audit: Audit, **identity: Any) -> Audit:
    made = audit.result.identity.model_copy(update=identity)
    return replace(audit, name="new", result=audit.result.model_copy(update={"identity": made}))


def test_runs_of_other_images_are_not_paired(before: Audit, make: Make, dataset: xr.Dataset) -> None:
    assert not reasons_against_pairs(before, before)
    (told,) = reasons_against_pairs(before, unlike(before, data_digest="other"))
    assert told.startswith("images of the same names are not the same pixels, labels or masks")
    (told,) = reasons_against_pairs(before, unlike(before, target="label"))
    assert told == "explain.target is 'predicted' in old and 'label' in new; explain the same class"
    fewer = replace(before, name="new", readings=Readings(dataset.isel(image=slice(4))))
    (told,) = reasons_against_pairs(before, fewer)
    assert told == "old reads 6 images and new 4, of which 4 are in both; audit the same images, in the same order"


def test_what_may_be_the_cause_stands_beside_the_numbers(before: Audit) -> None:
    sources = {**before.result.identity.sources, "score": "other"}
    told = " ".join(pairing.notes(before, unlike(before, weights="other", sources=sources, seed=9)))
    assert "two networks, or of one with other weights" in told
    assert "The auditing code of score is not the same" in told
    assert "The seed is 1 before and 9 after" in told


@pytest.fixture(scope="module")
def copies(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Two copies of one run."""
    home: Path = tmp_path_factory.mktemp("copies")
    for name in ("old", "new"):
        copy_store(folder / "audit.zarr", home / name / "audit.zarr")
    return {name: home / name for name in ("old", "new")}


@pytest.mark.slow
def test_check_against_an_older_run_is_a_gate(command: Command, copies: Mapping[str, Path]) -> None:
    end = command("check", copies["new"], "--against", copies["old"], "--junit", "changes.xml", "--method", "srd")
    assert (end.code, end.err) == (0, "")
    assert end.out.splitlines()[-1].startswith("NO REGRESSION from old to new: none of ")
    (suite,) = ElementTree.parse("changes.xml").getroot()
    assert (suite.get("failures"), suite.get("errors")) == ("0", "0")
    assert {case.get("classname") for case in suite} == {"srd"}
    told = json.loads(command("check", copies["new"], "--against", copies["old"], "--json", "--method", "srd").out)
    assert told["outcome"] == "NO REGRESSION"
    assert suite.get("tests") == str(len(told["changes"]))
    refused = command("check", copies["new"], "--against", copies["new"])
    assert (refused.code, refused.out) == (2, "")
    assert "stands twice among the runs" in refused.err
    assert command("check", copies["new"], "--against", "nowhere").code == 2


@pytest.mark.slow
def test_compare_tells_what_changed(command: Command, copies: Mapping[str, Path], tmp_path: Path) -> None:
    end = command("compare", copies["old"], copies["new"], "--out", "comparison")
    assert (end.code, end.out) == (0, "comparison/report/index.html\n")
    assert end.err.startswith("NO REGRESSION from old to new: none of ")
    page = (tmp_path / "comparison" / "report" / "index.html").read_text(encoding="utf-8")
    assert "What changed from old to new" in page
    told = command("compare", copies["old"], copies["new"], "--out", "comparison", "--json", "--quiet")
    assert told.err == ""
    assert json.loads(told.out)["change"]["outcome"] == "NO REGRESSION"
