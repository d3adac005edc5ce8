"""Stability beside faithfulness: the strongest reliable attack is chosen, and moved maps are held against one half."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import xarray as xr
from asked_again_stores import STEPS, ask_again, set_quality, srg_in_loops
from compared_methods import NOISE, facts_of, set_misses, store_of
from hand_made_readings import readings_of
from scipy.stats import binomtest

from pipeline.plan.schema import REASONS, Reason
from reports.audit.calibration import AT_FLOOR, CalibratedStability, calibrated_stabilities
from reports.audit.faithful_and_stable.fields import FaithfulUnderAttack, Tradeoff
from reports.audit.faithful_and_stable.measures import NOT_ATTACKED, front_of, strongest_attacks
from reports.audit.faithful_and_stable.section import (
    FAITHFUL_AND_STABLE,
    misleading_sentences,
    tradeoff_table,
    under_attack_table,
)
from reports.audit.faithfulness.section import FAITHFULNESS
from reports.audit.faithfulness.sentences import NOT_ASKED
from reports.audit.sections import AuditResult
from reports.result import Estimate, Verdict
from reports.style import figure_style

N = 20
METHODS = ("srd", "saliency", "edges")
WEAK, STRONG, FLIP = "manipulate:srd@4/255", "top_k:srd@8/255", "flip_and_keep:srd@8/255"
OTHER = "manipulate:saliency@8/255"
CONDITIONS = (NOISE, WEAK, STRONG, FLIP, OTHER)


def store(moved: int = N) -> xr.Dataset:
    """Of SRD, the strong attack moves the maps further than the weak one; so many become those of another image."""
    dataset = ask_again(store_of(N, METHODS, CONDITIONS))
    dataset.reference_similarity.loc[{"reference": "other_image"}] = 0.1
    for condition, similarity in ((WEAK, 0.8), (STRONG, 0.5), (FLIP, 0.2), (OTHER, 0.6)):
        dataset.score.loc[{"perturbation": condition, "metric": "pearson"}] = similarity + np.resize(
            [-0.05, 0.05], N
        )[:, None]  # fmt: skip
    set_misses(dataset, STRONG, "srd", moved)
    for number, method in enumerate(METHODS):
        set_quality(dataset, "srg", 0.2 * (number + 1) + np.resize([-0.05, 0.05], N), method)
    return dataset


def set_curves(dataset: xr.Dataset, condition: str, ranking: str, gains: Sequence[float]) -> None:
    """Write curves of attacked images whose areas are known: p falls from 1 to 0, by so much later the least first."""
    falling = np.linspace(1, 0, STEPS + 1)
    for row, gain in enumerate(gains):
        bump = np.zeros(STEPS + 1)
        bump[1:-1] = gain * STEPS / (STEPS - 1)
        for order, curve in (("most", falling), ("least", falling + bump)):
            where = {"perturbation": condition, "method": "srd", "ranking": ranking, "order": order}
            dataset.attacked_curve[row].loc[where | {"answer": "probability"}] = curve


def result_of(dataset: xr.Dataset, verdicts: Mapping[str, Verdict] | None = None) -> AuditResult:
    readings, facts = readings_of(dataset), facts_of(dataset, verdicts)
    methods = tuple(each.model_copy(update={"stochastic": False}) for each in facts.methods)
    facts = facts.model_copy(update={"methods": methods})
    facts = facts.model_copy(update={"calibrated": calibrated_stabilities(readings, facts.conditions, methods)})
    facts = facts.model_copy(update=dict(FAITHFULNESS.numbers(readings, facts)))
    return facts.model_copy(update=dict(FAITHFUL_AND_STABLE.numbers(readings, facts)))


def test_the_reliable_attack_that_moved_maps_furthest_is_chosen() -> None:
    """A flip that keeps the map does not aim to move it."""
    found = strongest_attacks(result_of(store()))
    assert {name: cell.condition for name, cell in found.items()} == {"srd": STRONG, "saliency": OTHER}
    without = strongest_attacks(result_of(store(), {STRONG: "attack unreliable", OTHER: "attack unchecked"}))
    assert {name: cell.condition for name, cell in without.items()} == {"srd": WEAK}


def test_the_plane_has_srg_and_calibrated_stability() -> None:
    places = {each.method: each for each in result_of(store()).tradeoffs}
    assert places["srd"].place == pytest.approx((0.2, (0.5 - 0.1) / (1 - 0.1)))
    assert places["saliency"].place == pytest.approx((0.4, (0.6 - 0.1) / (1 - 0.1)))
    assert (places["edges"].place, places["edges"].reason) == (None, NOT_ATTACKED)
    assert places["edges"].srg.value == pytest.approx(0.6)


def test_a_method_whose_maps_are_as_unlike_as_those_of_two_images_is_drawn_at_the_floor() -> None:
    dataset = store()
    dataset.score.loc[{"perturbation": OTHER, "metric": "pearson"}] = 0.05
    saliency = {each.method: each for each in result_of(dataset).tradeoffs}["saliency"]
    assert saliency.is_at_floor
    assert saliency.place == pytest.approx((0.4, 0.0))
    assert saliency.stability is not None
    assert saliency.stability.reason.startswith(AT_FLOOR)


@pytest.mark.parametrize(
    ("hits", "moved", "answer"),
    [(15, 15, "above random order"), (0, 15, "below random order"), (8, 15, "not decided"), (4, 4, "not decided"),
     (5, 5, "above random order"), (0, 5, "below random order"), (0, 0, "not decided")],
)  # fmt: skip
def test_moved_maps_are_held_against_random_order_on_the_attacked_image(hits: int, moved: int, answer: str) -> None:
    """0.5^5 < 0.05 < 0.5^4."""
    dataset = store(moved)
    gains = [0.2 if row < hits else -0.1 for row in range(N)]
    set_curves(dataset, STRONG, "attribution", gains)
    set_curves(dataset, STRONG, "random", [0.05] * N)
    found = under_attack_of(result_of(dataset))
    assert (found.condition, found.asked, found.moved, found.answer) == (STRONG, N, moved, answer)
    if moved:
        assert found.share.value == pytest.approx(hits / moved)
        exact = binomtest(hits, moved).proportion_ci(0.9, "exact")
        assert (found.low, found.high) == pytest.approx((exact.low, exact.high))
        assert found.share.interval == "Wilson score"
        assert found.lead.value == pytest.approx(np.mean(gains[:moved]) - 0.05)
    else:
        assert (found.share.value, found.low, found.high) == (None, None, None)


def under_attack_of(result: AuditResult, method: str = "srd") -> FaithfulUnderAttack:
    return next(each for each in result.faithful_under_attack if each.method == method)


def test_the_areas_of_attacked_curves_are_those_of_loops() -> None:
    dataset = store()
    set_curves(dataset, STRONG, "attribution", [0.2] * N)
    curves = readings_of(dataset).qualities.attacked_curves(STRONG, "srd", "attribution")
    assert srg_in_loops(curves) == pytest.approx([0.2] * N)


def test_images_that_say_nothing_are_left_out_with_their_reason() -> None:
    dataset = store(10)
    set_curves(dataset, STRONG, "attribution", [0.2] * N)
    set_curves(dataset, STRONG, "random", [0.05] * N)
    at = {"perturbation": STRONG, "method": "srd", "answer": "probability"}
    dataset.attacked_curve[0].loc[at | {"ranking": "random", "order": "most"}] = [1, 0.01, 0, 0, 0]
    dataset.attacked_curve[1].loc[at | {"ranking": "attribution"}] = 0.5
    dataset.attacked_curve[2].loc[at] = np.nan
    dataset.score[3].loc[{"perturbation": STRONG, "method": "srd"}] = np.nan
    dataset.reason[3].loc[{"perturbation": STRONG, "method": "srd"}] = Reason.NO_CONTRAST
    found = under_attack_of(result_of(dataset))
    assert (found.asked, found.moved, found.share.n) == (N - 1, 9, 6)
    reasons = (Reason.UNINFORMATIVE_FILL, Reason.NO_ANSWER_CHANGE, Reason.NO_CONTRAST)
    assert found.share.excluded == {REASONS[reason]: 1 for reason in reasons}


def test_methods_that_nothing_exceeds_in_both_are_the_front() -> None:
    places = {"srd": (0.5, 0.5), "saliency": (0.4, 0.4), "grad_cam": (0.2, 0.9), "edges": (0.9, 0.95)}
    found = tuple(tradeoff(name, *place) for name, place in places.items())
    assert [each.method for each in front_of(found)] == ["grad_cam", "srd"]
    alike = (tradeoff("srd", 0.5, 0.5), tradeoff("saliency", 0.5, 0.5))
    assert len(front_of(alike)) == 2


def tradeoff(method: str, gain: float, stability: float) -> Tradeoff:
    return Tradeoff(
        method=method, is_control=method == "edges", srg=estimate(gain), condition="", stability=estimate(stability),
        is_at_floor=False, reason="",
    )  # fmt: skip


def estimate(value: float) -> Estimate:
    return Estimate(value=value, low=None, high=None, n=9, unit="", interval="none", excluded={})


def test_tables_figure_and_files_have_every_method() -> None:
    dataset = store()
    set_curves(dataset, STRONG, "attribution", [-0.2] * N)
    set_curves(dataset, STRONG, "random", [0.05] * N)
    result = result_of(dataset)
    assert [row[0].text for row in tradeoff_table(result).rows] == ["SRD", "Saliency", "Edges (control)"]
    first, _ = under_attack_table(result).rows
    assert [cell.text for cell in first][:3] == ["SRD", "Top-k attack of SRD, 8/255", f"{N} of {N}"]
    assert (first[4].text, first[4].mark) == ("below random order", "failed")
    assert "Wilson" not in first[3].detail
    assert "exact bounds 0.0" in first[3].detail
    with figure_style():
        (picture,) = FAITHFUL_AND_STABLE.figures(result)
    assert f"Edges (control): SRG 0.60, {NOT_ATTACKED}" in picture.alt
    assert "SRD: SRG 0.20, stability 0.44" in picture.alt
    assert {name: len(frame) for name, frame in FAITHFUL_AND_STABLE.frames(result).items()} == {
        "faithful-and-stable": 3,
        "faithful-under-attack": 2,
    }
    (sentence,) = misleading_sentences(result)
    assert sentence.startswith("Attacked maps mislead: SRD (0.0")
    paragraphs: Any = FAITHFUL_AND_STABLE.body(result, {})["paragraphs"]
    assert sentence in paragraphs


def test_a_run_that_did_not_ask_says_so() -> None:
    result = result_of(store_of(N, METHODS, CONDITIONS))
    assert (result.tradeoffs, result.faithful_under_attack) == ((), ())
    assert FAITHFUL_AND_STABLE.body(result, {})["paragraphs"] == (NOT_ASKED,)
    assert list(FAITHFUL_AND_STABLE.figures(result)) == []
    assert isinstance(result.calibrated[0], CalibratedStability)
