"""Why a similarity to a reference map has no value."""

from typing import Any

import numpy as np
import pytest
import xarray as xr

from pipeline.plan.schema import Reason
from reports.audit.readings import DRAWS_NOTHING, MISSING, NOT_COMPUTED, UNLIKE, Readings

FLAT, NOT_FINITE = "the map has nothing to compare", "the map is not finite"
ROW = 1


def excluded(dataset: xr.Dataset, reference: str) -> dict[str, int]:
    """Of SRD's maps, where the similarity of one image to the reference is NaN."""
    similarity = dataset.reference_similarity.copy()
    similarity[ROW].loc[{"method": "srd", "reference": reference}] = np.nan
    readings = Readings(dataset.assign(reference_similarity=similarity))
    sample = readings.reference_similarities("srd", reference, "pearson")
    assert len(sample.values) == dataset.sizes["image"] - 1
    return sample.excluded


def unscored(dataset: xr.Dataset, reason: int) -> xr.Dataset:
    """As if the clean map of SRD could not be compared with itself."""
    score, reasons = dataset.score.copy(), dataset.reason.copy()
    where = {"perturbation": "clean", "method": "srd", "metric": "pearson"}
    score[ROW].loc[where], reasons[ROW].loc[where] = np.nan, reason
    return dataset.assign(score=score, reason=reasons)


def replaced(dataset: xr.Dataset, variable: str, row: int, value: float, **where: Any) -> xr.Dataset:
    values = dataset[variable].copy()
    values[row].loc[where] = value
    return dataset.assign({variable: values})


@pytest.mark.parametrize("reference", ["other_class", "other_image", "edges"])
@pytest.mark.parametrize(
    ("reason", "told"), [(0, NOT_COMPUTED), (Reason.NO_CONTRAST, FLAT), (Reason.NOT_FINITE, NOT_FINITE)]
)
def test_the_maps_own_fault_is_named_first(dataset: xr.Dataset, reference: str, reason: int, told: str) -> None:
    assert excluded(unscored(dataset, reason), reference) == {told: 1}


@pytest.mark.parametrize(("value", "told"), [(0.0, FLAT), (np.inf, NOT_FINITE), (np.nan, NOT_FINITE)])
def test_the_fault_of_the_other_class_is_its_own(dataset: xr.Dataset, value: float, told: str) -> None:
    faulty = replaced(dataset, "other_class_attribution", ROW, value, method="srd")
    assert excluded(faulty, "other_class") == {told.replace("the map", "the map of the other class"): 1}
    assert excluded(faulty, "other_image") == {FLAT.replace("the map", "the map of the other image"): 1}


@pytest.mark.parametrize(("value", "told"), [(0.0, FLAT), (np.inf, NOT_FINITE)])
def test_the_fault_of_the_other_image_is_that_images(dataset: xr.Dataset, value: float, told: str) -> None:
    target = int(dataset.target_image.values[ROW])
    faulty = replaced(dataset, "attribution", target, value, perturbation="clean", method="srd")
    assert excluded(faulty, "other_image") == {told.replace("the map", "the map of the other image"): 1}


def test_a_flat_image_has_no_edges_to_compare(dataset: xr.Dataset) -> None:
    assert excluded(dataset, "edges") == {FLAT.replace("the map", "the edge map of the image"): 1}


def test_a_method_that_draws_nothing_has_no_repeat_and_says_so(dataset: xr.Dataset) -> None:
    for method, told in (("srd", {DRAWS_NOTHING: dataset.sizes["image"]}), ("random", {})):
        assert Readings(dataset).reference_similarities(method, "repeat", "pearson").excluded == told


CONTROL = "random_sign@8/255"


def with_draws(dataset: xr.Dataset, n: int, seed: int) -> xr.Dataset:
    """As if the control had been drawn n times, each with scores and logits of its own, some of them missing."""
    random = np.random.default_rng(seed)
    columns = dataset.perturbation.values.tolist()
    place = columns.index(CONTROL)
    drawn = dataset.isel(perturbation=[*range(place), *[place] * n, *range(place + 1, len(columns))]).load()
    where = slice(place, place + n)
    scores, reasons, logits = drawn.score.copy(), drawn.reason.copy(), drawn.prediction.copy()
    scores[:, where] = random.uniform(-1, 1, scores[:, where].shape)
    lost = random.random(scores[:, where].shape) < 0.5
    scores[:, where] = np.where(lost, np.nan, scores[:, where])
    reasons[:, where] = np.where(lost, int(Reason.NO_CONTRAST), 0)
    logits[:, where] = random.normal(size=logits[:, where].shape)
    names = drawn.perturbation.values.astype(object)
    names[where] = [f"{CONTROL}#{draw + 1}" for draw in range(n)]
    return drawn.assign(score=scores, reason=reasons, prediction=logits).assign_coords(perturbation=names.astype(str))


@pytest.mark.parametrize(("n", "seed"), [(1, 0), (2, 1), (3, 2), (5, 3)])
def test_draws_are_averaged_within_each_image_into_one_condition(dataset: xr.Dataset, n: int, seed: int) -> None:
    drawn = with_draws(dataset, n, seed)
    readings, plain = Readings(drawn), Readings(dataset)
    assert readings.conditions == plain.conditions
    group = drawn.isel(perturbation=drawn.perturbation_group.values == CONTROL)
    assert group.sizes["perturbation"] == n
    for metric in ("pearson", "sparseness"):
        found = readings.scores(CONTROL, "srd", metric)
        for image, values in enumerate(group.score.sel({"method": "srd", "metric": metric}).values.astype(float)):
            defined = [value for value in values if not np.isnan(value)]
            assert found[image] == pytest.approx(np.mean(defined) if defined else np.nan, nan_ok=True)
        told = readings.defined_scores(CONTROL, "srd", metric, "all").excluded
        assert told == ({FLAT: int(np.isnan(found).sum())} if np.isnan(found).any() else {})
    others = [name for name in plain.conditions if name != CONTROL]
    for name in others:
        np.testing.assert_array_equal(readings.scores(name, "srd", "ssim"), plain.scores(name, "srd", "ssim"))


@pytest.mark.parametrize(("n", "seed"), [(2, 1), (3, 2), (5, 3)])
def test_a_prediction_is_kept_if_every_draw_keeps_it(dataset: xr.Dataset, n: int, seed: int) -> None:
    drawn = with_draws(dataset, n, seed)
    prediction = drawn.prediction.copy()
    prediction[0, drawn.perturbation.values.tolist().index(f"{CONTROL}#2")] = np.nan
    readings = Readings(drawn.assign(prediction=prediction))
    of_draws = prediction.values[:, drawn.perturbation_group.values == CONTROL].argmax(2)
    clean = prediction.values[:, 0].argmax(1)
    kept = [set(row) == {own} for row, own in zip(of_draws.tolist(), clean, strict=True)]
    assert readings.is_kept(CONTROL)[1:].tolist() == kept[1:]
    column = readings.predicted_classes(CONTROL)
    assert column[0] == MISSING
    assert (column[1:] == [row[0] if len(set(row)) == 1 else UNLIKE for row in of_draws[1:].tolist()]).all()
