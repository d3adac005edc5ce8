"""Every number of audit.json again, from the stored images and maps, in plain numpy, without the code under test."""

import json
import math
import warnings
from pathlib import Path
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


def gaussian_window() -> Array:
    """11 x 11, sigma 1.5, sum 1."""
    line = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window: Array = np.outer(line, line) / np.outer(line, line).sum()
    return window


WINDOW = gaussian_window()


def smoothed(image: Array) -> Array:
    result: Array = np.einsum("yxij,ij->yx", sliding_window_view(image, (11, 11)), WINDOW)
    return result


def slow_pearson(a: Array, b: Array) -> float:
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def slow_ssim(a: Array, b: Array) -> float:
    if not a.any() or not b.any():
        return math.nan
    x, y = a / np.abs(a).max(), b / np.abs(b).max()
    c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
    mx, my = smoothed(x), smoothed(y)
    vx, vy, cov = smoothed(x * x) - mx * mx, smoothed(y * y) - my * my, smoothed(x * y) - mx * my
    ratio = (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    return float(ratio.mean())


def slow_top_k(a: Array, b: Array) -> float:
    k = max(1, round(0.05 * a.size))
    first, second = (set(np.argsort(-each.ravel(), kind="stable")[:k].tolist()) for each in (a, b))
    return len(first & second) / k


def slow_pointing(a: Array, mask: Array) -> float:
    if not mask.any() or np.ptp(a) == 0:
        return math.nan
    return float(mask.ravel()[a.argmax()])


def slow_localisation(a: Array, mask: Array) -> float:
    positive = np.where(a > 0, a, 0)
    if not mask.any() or not positive.any():
        return math.nan
    return float(positive[mask].sum() / positive.sum())


def slow_gini(a: Array) -> float:
    values = np.sort(np.abs(a.ravel()))
    n = len(values)
    if values.sum() == 0:
        return math.nan
    return float(sum((2 * i - n - 1) * value for i, value in enumerate(values, 1)) / (n * values.sum()))


def slow_sobel(image: Array) -> Array:
    """Magnitude on the channels' mean, borders replicated."""
    windows = sliding_window_view(np.pad(image.astype(np.float64).mean(0), 1, mode="edge"), (3, 3))
    slope = np.outer([1, 2, 1], [-1, 0, 1])
    across, down = (np.einsum("yxij,ij->yx", windows, kernel) for kernel in (slope, slope.T))
    magnitude: Array = np.hypot(across, down)
    return magnitude


SLOW = {"pearson": slow_pearson, "ssim": slow_ssim, "top_k_intersection": slow_top_k}


@pytest.fixture(scope="module")
def maps(dataset: xr.Dataset) -> Array:
    """(image, perturbation, method, y, x)."""
    return np.asarray(dataset.attribution.values.astype(np.float64) * dataset.scale.values[..., None, None])


@pytest.fixture(scope="module")
def slow_scores(dataset: xr.Dataset, maps: Array) -> xr.DataArray:
    """As `score` in the store."""
    scores: xr.DataArray = xr.full_like(dataset.score.astype(np.float64), np.nan)
    for i, p, m in np.ndindex(maps.shape[:3]):
        one, mask = maps[i, p, m], dataset["mask"].values[i]
        values = {name: slow(maps[i, 0, m], one) for name, slow in SLOW.items()}
        values |= {"pointing_game": slow_pointing(one, mask), "sparseness": slow_gini(one)}
        values["attribution_localisation"] = slow_localisation(one, mask)
        for name, value in values.items():
            scores.values[i, p, m, dataset.metric.values.tolist().index(name)] = value
    return scores


@pytest.fixture(scope="module")
def audit(folder: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((folder / "audit.json").read_text(), parse_constant=pytest.fail)
    return result


@pytest.fixture(scope="module")
def predicted(dataset: xr.Dataset) -> xr.DataArray:
    classes: xr.DataArray = dataset.prediction.argmax("class")
    return classes


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
    assert [row["condition"] for row in audit["accuracy"]] == dataset.perturbation.values.tolist()
    for row in audit["accuracy"]:
        here = predicted.sel(perturbation=row["condition"]).values
        check_rate(row["accuracy"], here == dataset.label.values)
        check_rate(row["kept"], here == predicted.values[:, 0])


def test_references(audit: dict[str, Any], dataset: xr.Dataset, maps: Array) -> None:
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
        scores = np.array([SLOW[row["similarity"]](one, other) for one, other in pairs])
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


def test_transfer_cells_are_the_stability_of_the_same_entry(audit: dict[str, Any]) -> None:
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


def test_scale_of_the_shown_maps(audit: dict[str, Any], dataset: xr.Dataset, maps: Array) -> None:
    ids, entries = dataset.image.values.tolist(), dataset.perturbation.values.tolist()
    methods = dataset.method.values.tolist()
    assert audit["cases"]
    for case in audit["cases"]:
        i, p, m = ids.index(case["image"]), entries.index(case["condition"]), methods.index(case["clean"]["method"])
        end = np.quantile(np.abs(maps[i, 0, m]), 0.99)
        shown = {"clean": maps[i, 0, m], "perturbed": maps[i, p, m], "difference": maps[i, p, m] - maps[i, 0, m]}
        for name, values in shown.items():
            assert case[name]["limit"] == pytest.approx(end, rel=TOLERANCE)
            assert case[name]["clipped"] == pytest.approx((np.abs(values) > end).mean(), abs=2 / values.size)


def test_the_shown_images_are_the_extremes(audit: dict[str, Any], slow_scores: xr.DataArray) -> None:
    for case in audit["cases"]:
        scores = of(slow_scores, case["condition"], case["clean"]["method"], "pearson")
        own = case["similarities"]["pearson"]
        assert own == pytest.approx(scores[slow_scores.image.values.tolist().index(case["image"])], abs=TOLERANCE)
        extreme = {"worst": scores.min(), "best": scores.max()}.get(case["rank"])
        assert extreme is None or own == pytest.approx(float(extreme), abs=TOLERANCE)
