"""Every number of audit.json again, from the stored images and maps, in plain numpy, without the code under test."""

import math
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import xarray as xr
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.stats import bootstrap, norm, t

from srd.registry import ATTRIBUTORS, METRICS, SIMILARITIES

Array = NDArray[Any]
TOLERANCE = 1e-5
RANKS = 1e-3  # where an image is even, its edges are rounding, and so are their ranks in float32 and in float64
CONTROL = "random_sign@8/255"


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
            lambda resampled, axis: with_ties(np.mean(resampled, axis=axis), values),
            n_resamples=policy["resamples"],
            confidence_level=policy["confidence"],
            method="BCa",
            rng=np.random.default_rng(policy["seed"]),
        ).confidence_interval
    return float(found.low), float(found.high)


def with_ties(means: Any, values: Array) -> Any:
    """Means, of which those that differ from the mean of all by the rounding of float32 are equal to it."""
    of_all = values.mean()
    return np.where(np.abs(means - of_all) <= 1e-6 * np.abs(values).max(), of_all, means)


def t_interval_of(differences: Array, policy: dict[str, Any]) -> tuple[float, float]:
    n, mean = len(differences), float(differences.mean())
    spread = math.sqrt(((differences - mean) ** 2).sum() / (n - 1) / n)
    half = float(t.ppf((1 + policy["confidence"]) / 2, n - 1)) * spread
    return mean - half, mean + half


def check_mean(
    estimate: dict[str, Any],
    scores: Array,
    stored: Array,
    policy: dict[str, Any],
    interval: Callable[[Array, dict[str, Any]], tuple[float, float]] = interval_of,
) -> None:
    """An estimate against the slow scores of its images, its interval against the stored ones, NaN where undefined.

    BCa counts resamples below the mean: where means are tied, a difference in the eighth digit moves the interval.
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
        expected = interval(stored[~np.isnan(stored)].astype(np.float64), policy)
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


def kinds_of(part: Any) -> Iterator[str]:
    """The kinds of all intervals in a part of the result."""
    if isinstance(part, dict):
        yield from [str(part["interval"])] if {"interval", "low", "high"} <= part.keys() else []
        part = list(part.values())
    if isinstance(part, list):
        yield from (kind for each in part for kind in kinds_of(each))


def test_the_statement_on_intervals_names_every_kind_that_the_result_has(audit: dict[str, Any]) -> None:
    kinds = set(kinds_of(audit)) - {"none"}
    assert kinds == {"BCa bootstrap", "Wilson score", "t"}
    assert all(f"{kind} " in audit["statistics"]["text"] for kind in kinds)


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
    repeats = dataset.repeat_attribution.values.astype(np.float64) * dataset.repeat_scale.values[..., None, None]
    for row in audit["references"]:
        if row["reference"] == "repeat" and row["method"] != "random":
            assert row["estimate"]["n"] == 0
            continue
        m = methods.index(row["method"])
        clean = maps[:, 0, m]
        against = {"other_class": others[:, m], "other_image": clean[dataset.target_image.values], "edges": edges}
        against["repeat"] = repeats[:, m]
        pairs = zip(clean, against[row["reference"]], strict=True)
        scores = np.array([slow_similarities[row["similarity"]](one, other) for one, other in pairs])
        if METRICS[row["similarity"]].needs_sign and not ATTRIBUTORS[row["method"]].signed:
            scores[:] = np.nan
        where = {"method": row["method"], "reference": row["reference"], "similarity": row["similarity"]}
        stored = dataset.reference_similarity.sel(where).values
        by_rank = (row["similarity"], row["reference"]) == ("spearman", "edges")
        np.testing.assert_allclose(stored, scores, atol=RANKS if by_rank else TOLERANCE, rtol=0)
        check_mean(row["estimate"], stored if by_rank else scores, stored, audit["statistics"])


def test_localisation_and_sparseness(audit: dict[str, Any], slow_scores: xr.DataArray, dataset: xr.Dataset) -> None:
    for row in audit["quality"]:
        scores = of(slow_scores, "clean", row["method"], row["metric"])
        if METRICS[row["metric"]].is_rate:
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
        check_mean(cell["beyond_control"], lead, stored, audit["statistics"], t_interval_of)
        if (table["similarity"], table["images"]) == ("pearson", "all"):
            low = cell["beyond_control"]["low"]
            assert cell["verdict"] == ("" if low is not None and low > 0 else "attack unreliable")
        assert bool(cell["reason"]) == bool(cell["verdict"])


def test_an_attack_has_one_verdict_in_all_tables(audit: dict[str, Any]) -> None:
    verdicts = {each["condition"]: (each["verdict"], each["reason"]) for each in audit["verdicts"]}
    cells = [(row["condition"], cell) for table in audit["transfer"] for row in table["rows"] for cell in row["cells"]
             if cell["white_box"]]  # fmt: skip
    assert {condition for condition, _ in cells} == set(verdicts)
    assert all((cell["verdict"], cell["reason"]) == verdicts[condition] for condition, cell in cells)


def slow_calibration(similarity: Array, floor: Array) -> float:
    """How far along the way from another image's map to the clean map itself: sums, image by image."""
    n, gained, way = len(similarity), 0.0, 0.0
    for one, other in zip(similarity, floor, strict=True):
        gained += (float(one) - float(other)) / n
        way += (1 - float(other)) / n
    return gained / way


def slow_interval(statistic: Callable[[Array], float], n: int, policy: dict[str, Any]) -> tuple[float, float]:
    """BCa from its definition; `statistic` is that of the images with these numbers."""
    draws = np.random.default_rng(policy["seed"]).integers(0, n, (policy["resamples"], n))
    resampled = np.array([statistic(rows) for rows in draws])
    left_out = np.array([statistic(np.delete(np.arange(n), row)) for row in range(n)])
    found = statistic(np.arange(n))
    tied = np.isclose(resampled, found, rtol=0, atol=1e-6)  # the same images in another order
    below = ((resampled < found) & ~tied).mean() + tied.mean() / 2
    bias, moved = norm.ppf(below), left_out.mean() - left_out
    acceleration = (moved**3).sum() / (6 * (moved**2).sum() ** 1.5)
    tail = (1 - policy["confidence"]) / 2
    z = bias + norm.ppf([tail, 1 - tail])
    low, high = np.quantile(resampled, norm.cdf(bias + z / (1 - acceleration * z)))
    return float(low), float(high)


def scale_of(dataset: xr.Dataset, condition: str, method: str) -> tuple[Array, Array]:
    """Correlations with the perturbed map, and with that of another image, as stored."""
    floor = dataset.reference_similarity.sel(
        {"method": method, "reference": "other_image", "similarity": "pearson"}
    ).values.astype(np.float64)
    return of(dataset.score.astype(np.float64), condition, method, "pearson"), floor


def test_calibrated_stability_is_its_definition(audit: dict[str, Any], dataset: xr.Dataset) -> None:
    given = [row for row in audit["calibrated"] if row["estimate"]["value"] is not None]
    assert {row["method"] for row in given} == set(dataset.method.values.tolist()) - {"random"}
    for row in given:
        similarity, floor = scale_of(dataset, row["condition"], row["method"])
        assert row["estimate"]["value"] == pytest.approx(slow_calibration(similarity, floor), abs=TOLERANCE)
    for row in given[::4]:
        similarity, floor = scale_of(dataset, row["condition"], row["method"])
        if row["estimate"]["low"] is not None:
            expected = slow_interval(
                lambda rows, one=similarity, other=floor: slow_calibration(one[rows], other[rows]),  # type: ignore[misc]
                len(floor),
                audit["statistics"],
            )
            assert (row["estimate"]["low"], row["estimate"]["high"]) == pytest.approx(expected, abs=1e-3)


def test_a_method_that_draws_at_random_is_not_ranked_and_says_why(audit: dict[str, Any]) -> None:
    reasons = {row["estimate"]["reason"] for row in audit["calibrated"] if row["method"] == "random"}
    assert {re.sub(r"-?0\.\d+", "NUMBER", reason) for reason in reasons} == {
        "no scale: two maps of one image, correlation NUMBER, are hardly more alike than those of two, NUMBER"
    }


def test_rankings_are_in_order_and_their_distances_paired_by_image(audit: dict[str, Any], dataset: xr.Dataset) -> None:
    assert [(each["attack"], each["strength_text"]) for each in audit["rankings"]] == [
        ("", ""),
        ("manipulate", "8/255"),
    ]
    for ranking in audit["rankings"]:
        values = [cell["estimate"]["value"] for cell in ranking["ranked"]]
        assert values == sorted(values, reverse=True)
        last = ranking["ranked"][-1]
        for rival in ranking["rivals_of_last"][:3]:
            samples = [scale_of(dataset, cell["condition"], cell["method"]) for cell in (rival, last)]

            def lead(rows: Array, samples: list[tuple[Array, Array]] = samples) -> float:
                first, second = (slow_calibration(one[rows], other[rows]) for one, other in samples)
                return first - second

            n = len(samples[0][0])
            told = rival["difference"]
            assert told["value"] == pytest.approx(lead(np.arange(n)), abs=TOLERANCE)
            expected = slow_interval(lead, n, audit["statistics"])
            assert (told["low"], told["high"]) == pytest.approx(expected, abs=1e-3)


def test_attacks_in_doubt_are_not_ranked(audit: dict[str, Any]) -> None:
    doubted = {each["condition"]: each["verdict"] for each in audit["verdicts"] if each["verdict"]}
    _, attack = audit["rankings"]
    assert not {cell["condition"] for cell in attack["ranked"]} & set(doubted)
    assert {each["condition"]: each["reason"] for each in attack["unranked"]} == doubted


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
