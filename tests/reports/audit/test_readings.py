"""Why a similarity to a reference map has no value."""

from typing import Any

import numpy as np
import pytest
import xarray as xr

from pipeline.plan.schema import Reason
from reports.audit.readings import NOT_COMPUTED, Readings

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
