"""Outcomes of a manipulation on stores made by hand: every state of every map."""

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from hand_made_readings import readings_of, set_fault, set_predictions, set_scores, small_store

from pipeline.plan.schema import REASONS, Reason
from reports.audit.image_values import ImageValues
from reports.audit.outcomes import (
    beyond_control,
    in_all_draws,
    in_any_draw,
    kept_under_flip,
    own_class,
    own_image,
    target_gain,
)
from reports.audit.readings import NOT_COMPUTED, Readings

Outcome = Callable[[Readings, str, str], ImageValues]
NAN = np.nan
FLAT, BROKEN = REASONS[Reason.NO_CONTRAST], REASONS[Reason.NOT_FINITE]
OTHER_IMAGE, OTHER_CLASS = "the map of the other image", "the map of the other class"
AT = {"perturbation": "noise", "method": "saliency", "similarity": "pearson"}
OF_OTHER = pytest.mark.parametrize(
    ("outcome", "variable"), [(own_image, "target_similarity"), (own_class, "other_class_similarity")]
)


def compared(own: list[float], other: list[float], variable: str = "target_similarity") -> xr.Dataset:
    dataset = small_store(len(own))
    set_scores(dataset, "noise", own)
    dataset[variable].loc[AT] = other
    return dataset


@OF_OTHER
def test_the_closer_map_wins_and_a_tie_is_a_miss(outcome: Outcome, variable: str) -> None:
    own, other = [0.9, 0.2, 0.5, 0.5 + 5e-7, 0.5 + 2e-6, -0.1], [0.1, 0.8, 0.5, 0.5, 0.5, -0.4]
    found = outcome(readings_of(compared(own, other, variable)), "noise", "saliency")
    assert found.values.tolist() == [1, 0, 0, 0, 1, 1]
    assert (found.misses, found.granted, found.excluded) == ({}, {}, {})


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_a_map_that_does_not_move_keeps_its_image_and_one_that_is_fixed_ties(scale: float) -> None:
    """a = b is closer to a than any m; where all maps are one map, both similarities are 1."""
    rng = np.random.default_rng(int(10 * scale))
    clean = rng.normal(size=(5, 20)) * scale
    targets = np.roll(clean, 1, 0)
    unmoved = [np.corrcoef(a, a)[0, 1] for a in clean]
    others = [np.corrcoef(a, m)[0, 1] for a, m in zip(clean, targets, strict=True)]
    assert own_image(readings_of(compared(unmoved, others)), "noise", "saliency").values.tolist() == [1] * 5
    assert own_image(readings_of(compared(unmoved, unmoved)), "noise", "saliency").values.tolist() == [0] * 5


@pytest.mark.parametrize(("reason", "told"), [(Reason.NO_CONTRAST, FLAT), (Reason.NOT_FINITE, BROKEN)])
@OF_OTHER
def test_the_methods_own_undefined_map_is_a_miss(outcome: Outcome, variable: str, reason: Reason, told: str) -> None:
    """It is one too where the map to compare with is undefined as well."""
    dataset = compared([0.9, 0.9, 0.9], [0.1, NAN, 0.1], variable)
    set_fault(dataset, "noise", 0, reason)
    set_fault(dataset, "noise", 1, reason)
    found = outcome(readings_of(dataset), "noise", "saliency")
    assert found.values.tolist() == [0, 0, 1]
    assert (found.misses, found.excluded) == ({told: 2}, {})
    assert found.rate().value == pytest.approx(1 / 3)


@pytest.mark.parametrize(("value", "told"), [(0.0, FLAT), (np.inf, BROKEN), (NAN, BROKEN)])
def test_an_undefined_map_of_the_target_image_does_not_count(value: float, told: str) -> None:
    dataset = compared([0.9, 0.9, 0.1], [NAN, 0.1, 0.2])
    dataset.attribution[int(dataset.target_image[0])].loc[{"perturbation": "clean"}] = value
    found = own_image(readings_of(dataset), "noise", "saliency")
    assert found.values == pytest.approx([NAN, 1, 0], nan_ok=True)
    assert found.excluded == {told.replace("the map", OTHER_IMAGE): 1}
    assert (found.misses, found.rate().n, found.rate().excluded) == ({}, 2, found.excluded)


@pytest.mark.parametrize(
    ("value", "told", "outcome"), [(0.0, FLAT, 1.0), (7.0, FLAT, 1.0), (np.inf, BROKEN, NAN), (NAN, BROKEN, NAN)]
)
def test_a_constant_map_of_the_other_class_is_different(value: float, told: str, outcome: float) -> None:
    dataset = compared([0.2, 0.9], [NAN, 0.95], "other_class_similarity")
    dataset.other_class_attribution[0] = value
    found = own_class(readings_of(dataset), "noise", "saliency")
    assert found.values == pytest.approx([outcome, 0], nan_ok=True)
    why = {told.replace("the map", OTHER_CLASS): 1}
    assert (found.granted, found.excluded) == ((why, {}) if outcome == 1 else ({}, why))


@OF_OTHER
def test_what_was_not_computed_does_not_count(outcome: Outcome, variable: str) -> None:
    dataset = compared([NAN, 0.9], [NAN, 0.1], variable)
    found = outcome(readings_of(dataset), "noise", "saliency")
    assert found.values == pytest.approx([NAN, 1], nan_ok=True)
    assert found.excluded == {NOT_COMPUTED: 1}


def test_target_gain_is_the_similarity_gained() -> None:
    dataset = compared([0.5, 0.5, NAN, 0.5], [0.9, -0.2, NAN, NAN])
    set_fault(dataset, "noise", 2, Reason.NO_CONTRAST)
    dataset.reference_similarity.loc[{"reference": "other_image"}] = np.array([0.4, 0.4, 0.4, NAN])[:, None, None]
    dataset.attribution[int(dataset.target_image[3])].loc[{"perturbation": "clean"}] = 0.0
    found = target_gain(readings_of(dataset), "noise", "saliency")
    assert found.values == pytest.approx([0.5, -0.6, NAN, NAN], nan_ok=True)
    assert found.excluded == {FLAT: 1, FLAT.replace("the map", OTHER_IMAGE): 1}


def test_beyond_control_is_the_similarity_lost_beyond_that_of_the_control() -> None:
    dataset = small_store(4, ("noise", "attack"))
    set_scores(dataset, "noise", [0.9, 0.2, NAN, 0.9])
    set_scores(dataset, "attack", [0.1, 0.7, 0.5, 0.5])
    set_fault(dataset, "noise", 2, Reason.NO_CONTRAST)
    set_fault(dataset, "attack", 3, Reason.NOT_FINITE)
    found = beyond_control(readings_of(dataset), "attack", "noise", "saliency")
    assert found.values == pytest.approx([0.8, -0.5, NAN, NAN], nan_ok=True)
    assert found.excluded == {FLAT: 1, BROKEN: 1}
    assert found.mean("similarity").n == 2


def test_kept_under_flip_needs_both() -> None:
    dataset = compared([0.9, 0.9, 0.1, 0.1, NAN, 0.9, 0.9], [0.1, 0.1, 0.9, 0.9, 0.1, NAN, 0.1])
    set_fault(dataset, "noise", 4, Reason.NO_CONTRAST)
    dataset.attribution[int(dataset.target_image[5])].loc[{"perturbation": "clean"}] = 0.0
    set_predictions(dataset, "clean", [0] * 7)
    set_predictions(dataset, "noise", [1, 0, 1, 0, 1, 1, -1])
    found = kept_under_flip(readings_of(dataset), "noise", "saliency")
    assert found.values == pytest.approx([1, 0, 0, 0, 0, NAN, NAN], nan_ok=True)
    assert found.misses == {FLAT: 1}
    assert found.excluded == {NOT_COMPUTED: 1, FLAT.replace("the map", OTHER_IMAGE): 1}


def test_all_draws_must_hit() -> None:
    first = ImageValues(np.array([1, 1, 0, NAN, NAN]), ("", "", "flat", "missing", "missing"))
    second = ImageValues(np.array([1, 0, 0, 1, NAN]), ("granted", "", "broken", "", "other"))
    found = in_all_draws([first, second])
    assert found.values == pytest.approx([1, 0, 0, 1, NAN], nan_ok=True)
    assert (found.misses, found.granted, found.excluded) == ({"flat": 1}, {"granted": 1}, {"missing": 1})


def test_where_outcomes_must_be_rare_any_draw_counts_and_an_undefined_map_is_one() -> None:
    first = ImageValues(np.array([0, 0, 0, NAN, NAN]), ("", "", "flat", "missing", "missing"))
    second = ImageValues(np.array([0, 1, 0, 0, NAN]), ("", "granted", "", "", "other"))
    found = in_any_draw([first, second])
    assert found.values == pytest.approx([0, 1, 1, 0, NAN], nan_ok=True)
    assert (found.misses, found.granted, found.excluded) == ({}, {"granted": 1, "flat": 1}, {"missing": 1})


@OF_OTHER
def test_a_clean_map_that_was_drawn_is_compared_as_drawn_again(outcome: Outcome, variable: str) -> None:
    """With itself it is always alike: drawn maps that share nothing would keep image and class."""
    dataset = small_store(4, methods=("random",))
    set_scores(dataset, "clean", [1, 1, 1, NAN])
    set_fault(dataset, "clean", 3, Reason.NO_CONTRAST)
    dataset.reference_similarity.loc[{"reference": "repeat"}] = np.array([0.9, 0.1, NAN, NAN])[:, None, None]
    dataset["repeat_attribution"] = dataset.other_class_attribution * 0
    dataset[variable].loc[{"perturbation": "clean", "method": "random"}] = np.full((4, 1), 0.5)
    found = outcome(readings_of(dataset), "clean", "random")
    assert found.values.tolist() == [1, 0, 0, 0]
    assert found.misses == {FLAT.replace("the map", "the map drawn again"): 1, FLAT: 1}


@pytest.mark.parametrize("chosen", [[True, False, True], [False] * 3, [True] * 3])
def test_values_among_a_set_of_images(chosen: list[bool]) -> None:
    all_of_them = ImageValues(np.array([1.0, 0.0, NAN]), ("", "flat", "missing"))
    found = all_of_them.among(np.array(chosen))
    kept = [row for row, is_in in enumerate(chosen) if is_in]
    assert found.values == pytest.approx(all_of_them.values[kept], nan_ok=True)
    assert found.reasons == tuple(all_of_them.reasons[row] for row in kept)


@pytest.mark.parametrize("similarity", ["ssim", "spearman", "coarse_pearson"])
def test_any_similarity_may_decide(similarity: str) -> None:
    dataset = compared([0.9, 0.1], [0.1, 0.9]).assign_coords(
        similarity=[similarity], metric=[similarity, "relative_change"]
    )
    assert own_image(readings_of(dataset), "noise", "saliency", similarity).values.tolist() == [1, 0]
