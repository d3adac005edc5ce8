"""Scores of removal curves, recomputed in loops and by the metrics themselves; and when a fill says nothing."""

import numpy as np
import pytest
import torch
from asked_again_stores import DEPTHS, FILLS, ask_again, srg_in_loops
from compared_methods import store_of
from hand_made_readings import readings_of, small_store

from pipeline.stages.evidence import _is_at_floor
from reports.audit.qualities import deletion, insertion, is_floored, removal_score, srg
from srd.registry import METRICS


def curves(n: int = 40, steps: int = 10) -> np.ndarray:
    return np.random.default_rng(0).uniform(size=(n, 2, steps + 1))


def test_srg_is_the_area_between_the_curves() -> None:
    drawn = curves()
    assert srg(drawn) == pytest.approx(np.array(srg_in_loops(drawn)), abs=1e-12)
    assert srg(drawn) == pytest.approx(insertion(drawn) - deletion(drawn), abs=1e-12)


@pytest.mark.parametrize(("name", "score"), [("deletion", deletion), ("insertion", insertion), ("srg", srg)])
def test_scores_of_controls_are_the_metrics_of_methods(name: str, score: object) -> None:
    drawn = curves().astype(np.float32)
    most, least = (torch.from_numpy(drawn[:, order]) for order in (0, 1))
    assert callable(score)
    assert score(drawn.astype(float)) == pytest.approx(METRICS[name](most, least).numpy(), abs=1e-6)


def test_a_fill_names_its_scores() -> None:
    assert [removal_score("srg", fill) for fill in FILLS] == ["srg", "srg_black", "srg_narrow_blur", "srg_wide_blur"]
    assert all(removal_score("srg", fill) in METRICS for fill in FILLS)


@pytest.mark.parametrize(
    ("curve", "floored"),
    [([1, 0.05, 0, 0], True), ([1, 0.1, 0, 0], True), ([1, 0.2, 0, 0], False), ([1, 0.9, 0.5, 0.4], False),
     ([0.5, 0.5, 0.5, 0.5], False), ([0.2, 0.5, 0.6, 0.9], False)],
)  # fmt: skip
def test_a_fill_says_nothing_where_one_step_takes_all_that_is_taken(curve: list[float], floored: bool) -> None:
    both = np.array([[curve, curve]])
    assert is_floored(both).tolist() == [floored]
    assert _is_at_floor(torch.tensor([curve], dtype=torch.float64)).tolist() == [floored]


def test_the_rule_is_that_of_the_score_stage() -> None:
    drawn = curves(400, 3)
    assert is_floored(drawn).tolist() == _is_at_floor(torch.from_numpy(drawn[:, 0])).tolist()
    assert 0 < is_floored(drawn).sum() < 400


def test_a_run_that_did_not_ask_has_no_names() -> None:
    asked = readings_of(small_store(3)).qualities
    assert (asked.names, asked.fills, asked.depths, asked.redraws, asked.has_attacked_curves) == ((), (), (), (), False)


def test_a_run_that_asked_has_them() -> None:
    readings = readings_of(ask_again(store_of(3, ("srd", "saliency"))))
    asked = readings.qualities
    assert (asked.fills, asked.depths, asked.redraws) == (FILLS, DEPTHS, DEPTHS[3:])
    assert asked.fractions.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert readings.references == ("other_class", "other_image", "edges", "repeat")


def test_curves_are_those_of_the_probability_most_first() -> None:
    dataset = ask_again(store_of(3, ("srd", "saliency")))
    found = readings_of(dataset).qualities.curves("saliency", "black")
    for number, order in enumerate(("most", "least")):
        chosen = dataset.curve.sel({"method": "saliency", "fill": "black", "order": order, "answer": "probability"})
        assert found[:, number].tolist() == chosen.values.tolist()
