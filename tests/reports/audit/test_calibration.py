"""Calibrated stability on stores made by hand: its floor, its ceiling, and methods that draw at random."""

import numpy as np
import pytest
import xarray as xr
from hand_made_readings import readings_of, set_scores, small_store

from reports.audit.calibration import UNREPEATED, CalibratedStability, calibrated_stabilities, difference
from reports.audit.facts import ConditionFacts, MethodFacts
from reports.audit.readings import Readings
from srd.registry import ATTRIBUTORS

N = 12
METHODS = ("saliency", "smooth_grad")


def store(seed: int, ceiling: float | None) -> xr.Dataset:
    """Similarities near 0.6, floors near 0.1, and, of SmoothGrad, repeats near the ceiling, if any is given."""
    dataset, rng = small_store(N, methods=METHODS), np.random.default_rng(seed)
    set_scores(dataset, "noise", rng.uniform(0.5, 0.7, N).tolist())
    dataset.reference_similarity.loc[{"reference": "other_image"}] = rng.uniform(0, 0.2, (N, 2, 1))
    if ceiling is not None:
        repeats = rng.uniform(ceiling - 0.05, ceiling + 0.05, (N, 1))
        dataset.reference_similarity.loc[{"reference": "repeat", "method": "smooth_grad"}] = repeats
    return dataset


def calibrated(readings: Readings) -> tuple[CalibratedStability, ...]:
    condition = ConditionFacts.model_construct(id="noise", name="gaussian_noise", family="noise", against="")
    methods = [MethodFacts.model_construct(name=name, stochastic=ATTRIBUTORS[name].stochastic) for name in METHODS]
    return calibrated_stabilities(readings, [condition], methods)


def parts(dataset: xr.Dataset, method: str) -> tuple[float, float, float]:
    similarity = dataset.score.sel({"perturbation": "noise", "method": method, "metric": "pearson"})
    references = dataset.reference_similarity.sel({"method": method, "similarity": "pearson"})
    floor, repeat = (float(references.sel(reference=name).mean()) for name in ("other_image", "repeat"))
    return float(similarity.mean()), floor, repeat


@pytest.mark.parametrize("ceiling", [0.7, 0.9])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_ceiling_of_a_random_method_is_its_own_repeat(seed: int, ceiling: float) -> None:
    dataset = store(seed, ceiling)
    fixed, drawn = calibrated(readings_of(dataset))
    similarity, floor, _ = parts(dataset, "saliency")
    assert fixed.ceiling == 1
    assert fixed.estimate.value == pytest.approx((similarity - floor) / (1 - floor))
    similarity, floor, repeat = parts(dataset, "smooth_grad")
    assert (drawn.similarity, drawn.floor, drawn.ceiling) == pytest.approx((similarity, floor, repeat))
    assert drawn.estimate.value == pytest.approx((similarity - floor) / (repeat - floor))
    for estimate in (fixed.estimate, drawn.estimate):
        assert estimate.low is not None
        assert estimate.value is not None
        assert estimate.high is not None
        assert estimate.low < estimate.value < estimate.high
        assert estimate.n == N


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_difference_of_two_scales_is_paired_by_image(seed: int) -> None:
    readings = readings_of(store(seed, 0.9))
    fixed, drawn = calibrated(readings)
    found = difference(readings, drawn, fixed)
    assert fixed.estimate.value is not None
    assert drawn.estimate.value is not None
    assert found.value == pytest.approx(drawn.estimate.value - fixed.estimate.value)
    assert found.n == N


def test_a_map_that_moves_by_its_own_noise_alone_is_wholly_stable() -> None:
    dataset = store(0, 0.7)
    repeats = dataset.reference_similarity.sel(
        {"reference": "repeat", "method": "smooth_grad", "similarity": "pearson"}
    )
    dataset.score.loc[{"perturbation": "noise", "method": "smooth_grad", "metric": "pearson"}] = repeats.values
    assert calibrated(readings_of(dataset))[1].estimate.value == pytest.approx(1)


@pytest.mark.parametrize("references", [["other_class", "other_image", "edges"], ["other_image", "repeat"]])
def test_without_a_stored_repeat_a_random_method_has_no_scale(references: list[str]) -> None:
    readings = readings_of(store(0, None).sel(reference=references))
    fixed, drawn = calibrated(readings)
    assert fixed.estimate.value is not None
    assert (drawn.estimate.value, drawn.estimate.reason, drawn.ceiling) == (None, UNREPEATED, None)


def test_a_method_of_which_a_repeat_is_as_unlike_as_another_image_has_no_scale() -> None:
    drawn = calibrated(readings_of(store(0, 0.1)))[1]
    assert drawn.estimate.value is None
    assert drawn.estimate.reason.startswith("no scale: ")
    assert "hardly more alike than those of two" in drawn.estimate.reason


@pytest.mark.parametrize("similarity", [0.02, 0.9])
def test_maps_without_a_scale_are_at_no_floor_of_it_however_unlike(similarity: float) -> None:
    """Of random maps, correlations with another image and with the clean one are both about 0, either the larger."""
    dataset = store(0, 0.1)
    set_scores(dataset, "noise", [similarity] * N)
    dataset.reference_similarity.loc[{"reference": "other_image", "method": "saliency"}] = 0.95
    fixed, drawn = calibrated(readings_of(dataset))
    assert "maps of two images are almost the same" in fixed.estimate.reason
    assert "are hardly more alike than those of two" in drawn.estimate.reason
    assert not fixed.is_at_floor
    assert not drawn.is_at_floor


def test_maps_that_are_as_unlike_as_those_of_two_images_are_at_the_floor() -> None:
    dataset = store(0, 0.9)
    set_scores(dataset, "noise", [0.02] * N)
    assert [each.is_at_floor for each in calibrated(readings_of(dataset))] == [True, True]


def test_images_without_a_repeat_are_left_out() -> None:
    dataset = store(0, 0.9)
    dataset.reference_similarity[3].loc[{"reference": "repeat", "method": "smooth_grad"}] = np.nan
    fixed, drawn = calibrated(readings_of(dataset))
    assert (fixed.estimate.n, drawn.estimate.n) == (N, N - 1)
    assert sum(drawn.estimate.excluded.values()) == 1
