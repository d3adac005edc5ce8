"""Criteria on what the network was asked again: leads are paired by image, and of re-drawn weights the re-draw is the
unit.
"""

from typing import Any

import numpy as np
import pytest
import xarray as xr
from asked_again_stores import DEPTHS, ask_again, leave_out, set_quality, set_redrawn, srg_in_loops
from compared_methods import NOISE, facts_of, set_misses, store_of
from hand_made_readings import readings_of
from scipy.stats import t

from pipeline.plan.schema import REASONS, Reason
from reports.audit.verdicts import reasons
from reports.audit.verdicts.criteria import Criterion, default_criteria
from reports.audit.verdicts.decisions import Decision, Outcome
from reports.audit.verdicts.evidence import Evidence
from reports.audit.verdicts.judging import MethodVerdict, judge_methods
from reports.audit.verdicts.multiverse import Multiverse, declared_settings, explore
from reports.audit.verdicts.tables import count_text, note_sentences, verdict_table

N = 40
REDRAWS = len(DEPTHS) - 3


def criterion(metric: str, **keys: Any) -> Criterion:
    bound = {} if {"at_most", "at_least"} & keys.keys() else {"at_least": 0.0}
    return Criterion(**{"metric": metric, "condition": "clean", "why": "a test", **bound, **keys})


def evidence_of(dataset: xr.Dataset) -> Evidence:
    facts = facts_of(dataset)
    methods = tuple(each.model_copy(update={"stochastic": False}) for each in facts.methods)
    return Evidence(readings_of(dataset), methods, facts.conditions, facts.verdicts)


def judged(dataset: xr.Dataset, *criteria: Criterion, method: str = "srd") -> MethodVerdict:
    (verdict,) = judge_methods(evidence_of(dataset), criteria, [method])
    return verdict


def decided(dataset: xr.Dataset, asked: Criterion, method: str = "srd") -> Decision:
    return judged(dataset, asked, method=method).criteria[0].decided_by


def above_controls(lead: float, spread: float = 0.1, n: int = N) -> xr.Dataset:
    """A store in which SRG of SRD is above that of random order by so much, and by a spread that is known."""
    dataset = ask_again(store_of(n, ("srd", "saliency")))
    control = np.array(srg_in_loops(readings_of(dataset).qualities.control_curves("random", "blur")))
    set_quality(dataset, "srg", control + lead + np.resize([-spread, spread], n), "srd")
    return dataset


def redrawn(means: list[float], floor: float = 0.0) -> xr.Dataset:
    """A store in which the mean similarity to each re-drawn network is known, and varies much between images."""
    dataset = ask_again(store_of(N, ("srd", "saliency")))
    values = np.zeros((N, len(DEPTHS)))
    values[:, 3:] = np.array(means) + np.resize([-0.3, 0.3], N)[:, None]
    set_redrawn(dataset, values, "srd")
    dataset.reference_similarity.loc[{"reference": "other_image"}] = floor
    return dataset


@pytest.mark.parametrize(
    ("lead", "outcome", "reason"),
    [
        (0.2, "PASS", reasons.Reason.MET),
        (0.001, "INCONCLUSIVE", reasons.Reason.UNDECIDED),
        (-0.2, "FAIL", reasons.Reason.NOT_FAITHFUL),
    ],
)
def test_srg_above_random_is_decided_by_the_t_bounds_of_paired_differences(
    lead: float, outcome: Outcome, reason: reasons.Reason
) -> None:
    found = decided(above_controls(lead), criterion("srg_above_random"))
    assert (found.outcome, found.reason, found.n, found.unit) == (outcome, reason, N, "image")
    differences = lead + np.resize([-0.1, 0.1], N)
    half = t.ppf(0.95, N - 1) * differences.std(ddof=1) / np.sqrt(N)
    assert (found.low, found.high) == pytest.approx((lead - half, lead + half))


def test_a_control_against_itself_fails() -> None:
    found = decided(above_controls(0.0, 0.0), criterion("srg_above_random"))
    assert (found.outcome, found.reason, found.value) == ("FAIL", reasons.Reason.NOT_FAITHFUL, 0.0)


def test_images_that_were_not_asked_about_do_not_warn_but_the_undefined_do() -> None:
    dataset = above_controls(0.2)
    leave_out(dataset, range(20), Reason.NOT_ASKED)
    found = decided(dataset, criterion("srg_above_random"))
    assert (found.outcome, found.n, found.n_asked, found.undefined) == ("PASS", N - 20, N - 20, 0)
    leave_out(dataset, [20, 21], Reason.UNINFORMATIVE_FILL)
    warned = decided(dataset, criterion("srg_above_random"))
    assert (warned.outcome, warned.undefined_reasons) == ("WARN", {REASONS[Reason.UNINFORMATIVE_FILL]: 2})


@pytest.mark.parametrize(
    ("means", "outcome"),
    [
        ([0.1, 0.2, 0.15, 0.1, 0.2], "PASS"),
        ([0.4, 0.6, 0.3, 0.5, 0.6], "INCONCLUSIVE"),
        ([0.9, 0.8, 0.9, 0.95, 0.9], "FAIL"),
        ([1.0, 1.0, 1.0, 1.0, 1.0], "FAIL"),
    ],
)
def test_re_draws_are_the_unit_of_similarity_under_re_drawn_weights(means: list[float], outcome: Outcome) -> None:
    found = decided(redrawn(means), criterion("weights_similarity", at_most=0.5))
    assert (found.outcome, found.n, found.unit, found.n_asked) == (outcome, REDRAWS, "re-draw", N)
    assert found.value == pytest.approx(np.mean(means))
    if len(set(means)) > 1:
        half = t.ppf(0.95, REDRAWS - 1) * np.std(means, ddof=1) / np.sqrt(REDRAWS)
        assert (found.low, found.high) == pytest.approx((np.mean(means) - half, np.mean(means) + half))
    if outcome == "FAIL":
        assert found.reason == reasons.Reason.IGNORES_NETWORK


@pytest.mark.parametrize(("floor", "outcome"), [(0.0, "FAIL"), (0.2, "PASS")])
def test_the_floor_is_subtracted_for_each_re_draw(floor: float, outcome: Outcome) -> None:
    means = [0.2, 0.22, 0.21, 0.19, 0.2]
    found = decided(redrawn(means, floor), criterion("weights_similarity_above_other_image", at_most=0.1))
    assert found.outcome == outcome
    assert found.value == pytest.approx(np.mean(means) - floor)


def test_fewer_re_draws_than_five_decide_nothing() -> None:
    dataset = redrawn([0.1, 0.2, 0.15, 0.1, 0.2]).isel(reference=slice(0, -1))
    found = decided(dataset, criterion("weights_similarity", at_most=0.5))
    assert (found.outcome, found.reason, found.n) == ("INCONCLUSIVE", reasons.Reason.TOO_FEW_IMAGES, 4)
    assert count_text(found) == "about 5 re-draws would decide"


def test_images_without_a_similarity_are_counted_and_filled_with_the_worst() -> None:
    """Of 40 images 10 have none; with 1 in their place the mean is 0.175 + 0.25."""
    dataset = redrawn([0.2, 0.25, 0.22, 0.23, 0.2])
    where = {"reference": [f"weights:{depth}" for depth in DEPTHS], "method": "srd"}
    dataset.reference_similarity[:10].loc[where] = np.nan
    dataset.score[:10].loc[{"perturbation": "clean", "method": "srd"}] = np.nan
    dataset.reason[:10].loc[{"perturbation": "clean", "method": "srd"}] = Reason.NO_CONTRAST
    met = decided(dataset, criterion("weights_similarity", at_most=0.5))
    assert (met.outcome, met.n_asked, met.undefined_reasons) == ("WARN", N, {REASONS[Reason.NO_CONTRAST]: 10})
    sample = evidence_of(dataset).sample(criterion("weights_similarity", at_most=0.5), "clean", "srd", declared()[0])
    assert sample.at_worst(1.0) == pytest.approx(0.75 * sample.values + 0.25)


def declared() -> tuple[Any, ...]:
    return declared_settings(("pearson",), ("blur",))


@pytest.mark.parametrize("metric", ["srg", "mu_fidelity", "complexity_rise", "deletion_black"])
def test_any_quality_may_be_bounded(metric: str) -> None:
    dataset = ask_again(store_of(N, ("srd",)))
    set_quality(dataset, metric, 0.5 + np.resize([-0.01, 0.01], N))
    assert decided(dataset, criterion(metric, at_least=0.4)).outcome == "PASS"
    missed = decided(dataset, criterion(metric, at_least=0.6))
    assert (missed.outcome, missed.reason) == ("FAIL", reasons.Reason.BOUND_MISSED)


def test_the_rise_of_complexity_is_decided_over_re_draws_and_not_over_images_that_share_them() -> None:
    dataset = ask_again(store_of(N, ("srd",)))
    set_quality(dataset, "complexity_rise", 0.5)
    found = decided(dataset, criterion("complexity_rise", at_least=0.4))
    assert (found.unit, found.n, found.n_asked) == ("re-draw", 5, N)
    few = decided(dataset.isel(reference=slice(0, -1)), criterion("complexity_rise", at_least=0.4))
    assert (few.outcome, few.reason, few.n) == ("INCONCLUSIVE", reasons.Reason.TOO_FEW_IMAGES, 4)


@pytest.mark.parametrize(
    "metric", ["srg_above_random", "srg_above_edges", "weights_similarity", "srg", "complexity_rise"]
)
def test_what_was_not_asked_is_not_measured_and_never_a_pass(metric: str) -> None:
    found = decided(store_of(N, ("srd",)), criterion(metric, at_least=0.3))
    assert (found.outcome, found.reason, found.n) == ("INCONCLUSIVE", reasons.Reason.NOT_MEASURED, 0)
    nowhere = ask_again(store_of(N, ("srd",)))
    leave_out(nowhere, range(N), Reason.NOT_ASKED)
    if not metric.startswith("weights"):
        assert decided(nowhere, criterion(metric, at_least=0.3)).reason == reasons.Reason.NOT_MEASURED


@pytest.mark.parametrize("metric", ["srg_above_edges", "weights_similarity", "mu_fidelity"])
def test_a_criterion_on_clean_maps_alone_is_refused_elsewhere(metric: str) -> None:
    with pytest.raises(ValueError, match=f"'noise': {metric} is measured on clean images alone; write condition = 'cl"):
        criterion(metric, condition="noise")


# What stability and faithfulness say together


def noted(lead: float, misses: int = 0, spread: float = 0.1) -> tuple[MethodVerdict, Evidence]:
    dataset = above_controls(lead, spread)
    set_misses(dataset, NOISE, "srd", misses)
    evidence = evidence_of(dataset)
    criteria = [criterion("own_image", condition="noise", at_least=0.8), criterion("srg_above_random")]
    (verdict,) = judge_methods(evidence, criteria, ["srd"])
    return verdict, evidence


@pytest.mark.parametrize(
    ("lead", "misses", "note"),
    [
        (-0.2, 0, "stable because unfaithful"),
        (0.0, 0, "stable, not shown to be faithful"),
        (0.2, 0, ""),
        (-0.2, 20, ""),
    ],
)
def test_what_is_stable_and_not_faithful_is_called_so(lead: float, misses: int, note: str) -> None:
    assert noted(lead, misses)[0].note == note


def test_what_was_not_asked_is_not_called_unfaithful() -> None:
    criteria = [criterion("own_image", condition="noise", at_least=0.8), criterion("srg_above_random")]
    assert judged(store_of(N, ("srd",)), *criteria).note == ""


def test_the_note_stands_in_the_row_and_in_a_sentence_with_its_numbers() -> None:
    verdict, _ = noted(-0.2)
    criteria = (criterion("own_image", condition="noise", at_least=0.8), criterion("srg_above_random"))
    result = facts_of(store_of(N, ("srd",))).model_copy(
        update={
            "criteria": criteria,
            "method_verdicts": (verdict,),
            "multiverses": {"srd": Multiverse(agreeing=1, settings=1, turned_by=())},
        }
    )
    (row,) = verdict_table("", [verdict], result).rows
    assert row[1].detail == "not faithful\nstable because unfaithful"
    (sentence,) = note_sentences([verdict], result)
    assert sentence.startswith(
        "Stable because unfaithful: SRD (Faithfulness (SRG) above random order -0.200, 90 % interval -0.2"
    )
    assert sentence.endswith("n = 40).")


# The multiverse


def test_the_settings_have_the_widths_of_the_blur_that_were_removed_with() -> None:
    assert len(declared_settings(("pearson", "ssim"), ("blur", "black", "narrow_blur", "wide_blur"))) == 2 * 2 * 3 * 3
    assert len(declared_settings(("pearson", "ssim"), ("blur", "black", "wide_blur"))) == 2 * 2 * 3 * 2
    assert len(declared_settings(("pearson", "ssim"), ())) == 2 * 2 * 3


def test_a_width_of_the_blur_that_turns_the_verdict_is_named() -> None:
    dataset = above_controls(0.2)
    for fill, lead in (("narrow_blur", 0.2), ("wide_blur", -0.2)):
        control = np.array(srg_in_loops(readings_of(dataset).qualities.control_curves("random", fill)))
        set_quality(dataset, f"srg_{fill}", control + lead + np.resize([-0.1, 0.1], N), "srd")
    evidence, criteria = evidence_of(dataset), [criterion("srg_above_random")]
    found = explore(evidence, criteria, judge_methods(evidence, criteria, ["srd"]))["srd"]
    assert (found.agreeing, found.settings) == (2 * 2 * 3, 2 * 3 * 3)
    assert found.turned_by == ("blur of side/15: FAIL",)


def test_the_default_criteria_ask_for_both() -> None:
    sources = [each.quantity.source for each in default_criteria()]
    assert (sources.count("lead"), sources.count("re-draws")) == (2, 2)
