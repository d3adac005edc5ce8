"""Which images are shown, and what stands where a map cannot be."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from PIL import Image

from reports.audit import maps
from reports.audit.maps import Choice
from reports.audit.panels import MapPanel
from reports.audit.readings import NOT_COMPUTED, Readings
from reports.audit.sections import AuditResult

Made = Callable[..., AuditResult]
ON_SRD, ON_SALIENCY = "manipulate:srd@8/255", "manipulate:saliency@8/255"
NAN = np.nan


def with_scores(dataset: xr.Dataset, values: list[float]) -> Readings:
    """As if the correlations of SRD's maps under the attack on SRD were these."""
    score = dataset.score.copy()
    score.loc[{"perturbation": ON_SRD, "method": "srd", "metric": "pearson"}] = values
    return Readings(dataset.assign(score=score))


def chosen(readings: Readings, made: Made, *conditions: str) -> Choice:
    return maps.choose(readings, made({name: {} for name in conditions}).conditions)


def shown(readings: Readings, made: Made, *conditions: str) -> list[tuple[str, str, int]]:
    """(condition, rank, position of the image)."""
    cases = maps.cases(readings, chosen(readings, made, *conditions))
    return [(case.condition, case.rank, readings.image_ids.index(case.image)) for case in cases]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.3, NAN, 0.1, 0.3, 0.9, 0.5], [("worst", 2), ("median", 3), ("best", 4)]),
        ([0.3, 0.2, 0.1, 0.4, 0.9, 0.5], [("worst", 2), ("median", 0), ("best", 4)]),
        ([1.0, 1.0, 1.0, 1.0, 1.0, 1.0], [("worst", 0), ("median", 2), ("best", 5)]),
        ([NAN, NAN, 0.2, NAN, 0.1, NAN], [("worst", 4), ("best", 2)]),
        ([NAN, NAN, NAN, NAN, 0.1, NAN], [("worst", 4)]),
        ([NAN, NAN, NAN, NAN, NAN, NAN], []),
    ],
    ids=["odd", "even: the lower", "ties: by position", "two", "one", "none"],
)
def test_worst_median_and_best_image(
    dataset: xr.Dataset, made: Made, values: list[float], expected: list[tuple[str, int]]
) -> None:
    found = shown(with_scores(dataset, values), made, ON_SRD)
    assert found == [(ON_SRD, rank, row) for rank, row in expected]


def test_predictions_are_named_and_the_probability_is_that_of_the_explained_class(
    dataset: xr.Dataset, made: Made
) -> None:
    """Softmax of log(p) is p, where the p sum to 1."""
    probabilities = {"clean": [0.1, 0.2, 0.4, 0.15, 0.1, 0.05], ON_SRD: [0.05, 0.1, 0.15, 0.2, 0.2, 0.3]}
    prediction = dataset.prediction.copy()
    for condition, values in probabilities.items():
        prediction.loc[{"perturbation": condition}] = np.log(values) + 7
    explained = dataset.assign(prediction=prediction, target=xr.full_like(dataset.target, 3))
    readings = Readings(explained)
    case, *_ = maps.cases(readings, chosen(readings, made, ON_SRD))
    classes = dataset["class"].values.tolist()
    assert [case.clean_prediction, case.perturbed_prediction, case.explained] == [classes[i] for i in (2, 5, 3)]
    assert [case.clean_probability, case.perturbed_probability] == pytest.approx([0.15, 0.2], abs=1e-6)


def test_each_method_is_shown_at_the_largest_strength_it_was_attacked_with(dataset: xr.Dataset, made: Made) -> None:
    names = [{ON_SALIENCY: "manipulate:saliency@4/255"}.get(name, name) for name in dataset.perturbation.values]
    groups = ("perturbation", names)
    readings = Readings(dataset.assign_coords(perturbation=names, perturbation_group=groups))
    conditions = ("random_sign@8/255", "manipulate:srd@2/255", ON_SRD, "manipulate:saliency@4/255")
    found = [condition for condition, _, _ in shown(readings, made, *conditions)]
    assert found == [ON_SRD] * 3 + ["manipulate:saliency@4/255"] * 3


def test_the_overview_is_evenly_spaced_among_the_images_that_were_computed(dataset: xr.Dataset) -> None:
    def rows(readings: Readings) -> list[int]:
        return [readings.image_ids.index(each.image) for each in maps.overview(readings, maps.choose(readings, ()))]

    assert rows(Readings(dataset)) == [0, 2, 3, 5]
    prediction = dataset.prediction.copy()
    prediction[0, 0] = NAN
    assert rows(Readings(dataset.assign(prediction=prediction))) == [1, 2, 4, 5]


def test_the_selection_speaks_of_attacks_only_where_there_are_some(dataset: xr.Dataset, made: Made) -> None:
    readings = Readings(dataset)
    assert "attack" in maps.selection_in_words(readings, chosen(readings, made, ON_SRD))
    assert "attack" not in maps.selection_in_words(readings, chosen(readings, made))


def broken_map(dataset: xr.Dataset, value: float, scale: float) -> tuple[MapPanel, int, NDArray[np.uint8]]:
    """How the first clean map of saliency is shown with one such pixel, where it would stand, and the sheet."""
    attribution, scales = dataset.attribution.copy(), dataset["scale"].copy()
    where = {"image": dataset.image.values[0], "perturbation": "clean", "method": "saliency"}
    attribution.loc[where][3, 4] = value
    scales.loc[where] = scale
    readings = Readings(dataset.assign(attribution=attribution, scale=scales))
    first, *_ = maps.overview(readings, maps.choose(readings, ()))
    panel = next(panel for panel in first.maps if panel.method == "saliency")
    ((_, drawn),) = maps.drawings(readings, (), [first])
    place = 1 + readings.methods.index("saliency")
    return panel, place * first.sheet.width, np.asarray(Image.open(BytesIO(drawn)))


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_a_map_that_is_not_finite_is_not_drawn_and_says_why(dataset: xr.Dataset, value: float) -> None:
    panel, left, sheet = broken_map(dataset, value, scale=1.0)
    assert panel == MapPanel(method="saliency", place=None, limit=None, clipped=None, reason="the map is not finite")
    side = sheet.shape[0]
    assert sheet.shape[1] == (1 + dataset.sizes["method"]) * side
    assert (sheet[:, left : left + side] == 255).all()
    assert (sheet[:, :left] != 255).any()


def test_a_map_that_was_not_computed_says_so(dataset: xr.Dataset) -> None:
    panel, *_ = broken_map(dataset, NAN, scale=NAN)
    assert (panel.limit, panel.reason) == (None, NOT_COMPUTED)
