"""Every number of audit.json again, from the stored images and maps, in plain numpy, without the code under test."""

import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import xarray as xr
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.stats import bootstrap

Array = NDArray[Any]
TOLERANCE = 1e-5
CONTROL = "random_sign@8/255"
SIMILARITIES = ("pearson", "ssim", "top_k_intersection")


@pytest.fixture(scope="module")
def predicted(dataset: xr.Dataset) -> xr.DataArray:
    classes: xr.DataArray = dataset.prediction.argmax("class")
    return classes


def slow_sobel(image: Array) -> Array:
    """Magnitude on the channels' mean, borders replicated."""
    windows = sliding_window_view(np.pad(image.astype(np.float64).mean(0), 1, mode="edge"), (3, 3))
    slope = np.outer([1, 2, 1], [-1, 0, 1])
    across, down = (np.einsum("yxij,ij->yx", windows, kernel) for kernel in (slope, slope.T))
    magnitude: Array = np.hypot(across, down)
    return magnitude


def interval_of(values: Array, policy: dict[str, Any]) -> tuple[float, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = bootstrap(
            (values,),
            np.mean,
            n_resamples=policy["resamples"],
            confidence_level=policy["confidence"],
            method="BCa",
            rng=np.random.default_rng(policy["seed"]),
        ).confidence_interval
    return float(found.low), float(found.high)


def check_mean(estimate: dict[str, Any], scores: Array, stored: Array, policy: dict[str, Any]) -> None:
    """An estimate against the slow scores of its images, its interval against the stored ones, NaN where undefined.

    BCa counts resamples below the mean: where means are tied, a difference in the eighth decimal moves the interval.
    """
    values = scores[~np.isnan(scores)]
    assert estimate["n"] == len(values)
    assert sum(estimate["excluded"].values()) == len(scores) - len(values)
    if not len(values):
        assert estimate["value"] is None
        assert estimate["reason"]
        return
    assert estimate["value"] == pytest.approx(values.mean(), abs=TOLERANCE)
    assert estimate["unit"]
    if estimate["low"] is None:
        assert len(values) < policy["least_n"] or np.ptp(values) < TOLERANCE
        assert estimate["reason"]
        assert estimate["interval"] == "none"
    else:
        expected = interval_of(stored[~np.isnan(stored)].astype(np.float64), policy)
        assert (estimate["low"], estimate["high"]) == pytest.approx(expected, abs=TOLERANCE)


def check_rate(estimate: dict[str, Any], hits: Array) -> None:
    """A rate and its Wilson interval, by the formula."""
    n, share, z = len(hits), hits.mean(), 1.959963984540054
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    assert estimate["n"] == n
    assert estimate["interval"] == "Wilson score"
    found = (estimate["value"], estimate["low"], estimate["high"])
    assert found == pytest.approx((share, middle - half, middle + half), abs=TOLERANCE)


def of(scores: xr.DataArray, condition: str, method: str, metric: str) -> Array:
    """Scores of all images."""
    return np.asarray(scores.sel({"perturbation": condition, "method": method, "metric": metric}).values)


def chosen(predicted: xr.DataArray, condition: str, images: str) -> Array:
    clean, perturbed = predicted.values[:, 0], predicted.sel(perturbation=condition).values
    return np.asarray(clean == perturbed) if images == "prediction kept" else np.ones(len(clean), bool)


def test_the_stored_scores_are_those_of_the_stored_maps(dataset: xr.Dataset, slow_scores: xr.DataArray) -> None:
    np.testing.assert_allclose(dataset.score.values, slow_scores.values, atol=TOLERANCE, rtol=0)


def test_stability(
    audit: dict[str, Any], slow_scores: xr.DataArray, dataset: xr.Dataset, predicted: xr.DataArray
) -> None:
    n_perturbed, n_methods = slow_scores.sizes["perturbation"] - 1, slow_scores.sizes["method"]
    assert len(audit["stability"]) == n_perturbed * n_methods * len(SIMILARITIES) * 2
    for row in audit["stability"]:
        where = row["condition"], row["method"], row["similarity"]
        images = chosen(predicted, row["condition"], row["images"])
        scores, stored = of(slow_scores, *where)[images], of(dataset.score, *where)[images]
        check_mean(row["estimate"], scores, stored, audit["statistics"])


def test_some_intervals_are_there_to_be_checked(audit: dict[str, Any]) -> None:
    kinds = {row["estimate"]["interval"] for row in audit["stability"]}
    assert "BCa bootstrap" in kinds


def test_accuracy(audit: dict[str, Any], dataset: xr.Dataset, predicted: xr.DataArray) -> None:
    assert sorted(row["condition"] for row in audit["accuracy"]) == sorted(dataset.perturbation.values.tolist())
    for row in audit["accuracy"]:
        here = predicted.sel(perturbation=row["condition"]).values
        check_rate(row["accuracy"], here == dataset.label.values)
        check_rate(row["kept"], here == predicted.values[:, 0])


def test_references(
    audit: dict[str, Any],
    dataset: xr.Dataset,
    maps: Array,
    slow_similarities: Mapping[str, Callable[[Array, Array], float]],
) -> None:
    methods = dataset.method.values.tolist()
    others = (
        dataset.other_class_attribution.values.astype(np.float64) * dataset.other_class_scale.values[..., None, None]
    )
    edges = np.stack([slow_sobel(image) for image in dataset.input.values[:, 0]])
    for row in audit["references"]:
        m = methods.index(row["method"])
        clean = maps[:, 0, m]
        against = {"other_class": others[:, m], "other_image": clean[dataset.target_image.values], "edges": edges}
        pairs = zip(clean, against[row["reference"]], strict=True)
        scores = np.array([slow_similarities[row["similarity"]](one, other) for one, other in pairs])
        where = {"method": row["method"], "reference": row["reference"], "similarity": row["similarity"]}
        stored = dataset.reference_similarity.sel(where).values
        np.testing.assert_allclose(stored, scores, atol=TOLERANCE, rtol=0)
        check_mean(row["estimate"], scores, stored, audit["statistics"])


def test_localisation_and_sparseness(audit: dict[str, Any], slow_scores: xr.DataArray, dataset: xr.Dataset) -> None:
    for row in audit["quality"]:
        scores = of(slow_scores, "clean", row["method"], row["metric"])
        if row["metric"] == "pointing_game":
            check_rate(row["estimate"], scores[~np.isnan(scores)])
        else:
            stored = of(dataset.score, "clean", row["method"], row["metric"])
            check_mean(row["estimate"], scores, stored, audit["statistics"])


def test_transfer_cells_are_the_stability_under_the_same_condition(audit: dict[str, Any]) -> None:
    keys = ("condition", "method", "similarity", "images")
    means = {tuple(row[key] for key in keys): row["estimate"] for row in audit["stability"]}
    assert audit["transfer"]
    for table in audit["transfer"]:
        for row in table["rows"]:
            for cell in row["cells"]:
                key = (row["condition"], cell["evaluating"], table["similarity"], table["images"])
                assert cell["similarity"] == means[key]
                assert cell["white_box"] == (row["attacked"] == cell["evaluating"])


def test_the_lead_over_random_signs_and_its_verdict(
    audit: dict[str, Any], slow_scores: xr.DataArray, dataset: xr.Dataset, predicted: xr.DataArray
) -> None:
    judged = [
        (table, row, cell)
        for table in audit["transfer"]
        for row in table["rows"]
        for cell in row["cells"]
        if cell["white_box"]
    ]
    assert judged
    for table, row, cell in judged:
        both = chosen(predicted, row["condition"], table["images"])
        both &= chosen(predicted, CONTROL, table["images"])
        pair = (cell["evaluating"], table["similarity"])
        lead, stored = (
            (of(scores, CONTROL, *pair) - of(scores, row["condition"], *pair))[both]
            for scores in (slow_scores, dataset.score.astype(np.float64))
        )
        check_mean(cell["beyond_control"], lead, stored, audit["statistics"])
        low = cell["beyond_control"]["low"]
        assert cell["verdict"] == ("" if low is not None and low > 0 else "attack unreliable")
        assert bool(cell["reason"]) == bool(cell["verdict"])


def test_every_transfer_table_has_its_controls(audit: dict[str, Any]) -> None:
    for table in audit["transfer"]:
        roles = [row["role"] for row in table["rows"]]
        assert roles.count("control") == 1
        assert "attack on the prediction" in roles


def test_mask_share(audit: dict[str, Any], dataset: xr.Dataset) -> None:
    shares = dataset["mask"].values.mean((1, 2))
    check_mean(audit["mask_share"], shares, shares, audit["statistics"])


def test_measured_size_of_the_perturbations(audit: dict[str, Any], dataset: xr.Dataset) -> None:
    for row in audit["conditions"]:
        change = np.abs(dataset.input.sel(perturbation=row["id"]).values - dataset.input.values[:, 0]).max((1, 2, 3))
        assert row["largest_change"] == pytest.approx(change.max(), abs=TOLERANCE)
        assert row["unchanged"] == (change == 0).sum()
        if row["family"] != "noise" or row["name"] == "random_sign":
            assert row["largest_change"] <= row["strength"] + TOLERANCE
