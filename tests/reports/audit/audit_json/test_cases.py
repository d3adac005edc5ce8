"""The images that are shown one by one: which they are, and every number beside them."""

import math
from typing import Any

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from scipy.special import softmax

from srd.registry import ATTRIBUTORS

TOLERANCE = 1e-5


def test_scale_of_the_shown_maps(audit: dict[str, Any], dataset: xr.Dataset, maps: NDArray[np.float64]) -> None:
    ids, conditions = dataset.image.values.tolist(), dataset.perturbation.values.tolist()
    methods = dataset.method.values.tolist()
    assert audit["cases"]
    for case in audit["cases"]:
        i, p, m = ids.index(case["image"]), conditions.index(case["condition"]), methods.index(case["clean"]["method"])
        end = np.quantile(np.abs(maps[i, 0, m]), 0.99)
        shown = {"clean": maps[i, 0, m], "perturbed": maps[i, p, m], "difference": maps[i, p, m] - maps[i, 0, m]}
        for name, values in shown.items():
            assert case[name]["limit"] == pytest.approx(end, rel=TOLERANCE)
            assert case[name]["clipped"] == pytest.approx((np.abs(values) > end).mean(), abs=2 / values.size)


def attacked(dataset: xr.Dataset) -> list[tuple[str, str]]:
    """(condition, method): of each attack on each method's explanation the condition of the largest strength."""
    strongest: dict[tuple[str, str], tuple[float, str]] = {}
    for p, condition in enumerate(dataset.perturbation.values.tolist()):
        name, family, against, strength = (
            dataset[f"perturbation_{fact}"].values[p] for fact in ("name", "family", "against", "strength")
        )
        if family == "attack on the explanation":
            strongest[name, against] = max(strongest.get((name, against), (0.0, "")), (float(strength), condition))
    order = list(ATTRIBUTORS)
    return sorted(((e, m) for (_, m), (_, e) in strongest.items()), key=lambda attack: order.index(attack[1]))


def extremes(dataset: xr.Dataset, condition: str, method: str) -> dict[str, str]:
    """Rank -> image, by correlation; of an even number the lower median, ties by position."""
    scores = dataset.score.sel({"perturbation": condition, "method": method, "metric": "pearson"}).values.tolist()
    order = sorted((score, row) for row, score in enumerate(scores) if not math.isnan(score))
    assert len(order) >= 3
    places = {"worst": 0, "median": (len(order) - 1) // 2, "best": len(order) - 1}
    return {rank: str(dataset.image.values[order[place][1]]) for rank, place in places.items()}


def test_the_shown_images_are_worst_median_and_best(audit: dict[str, Any], dataset: xr.Dataset) -> None:
    expected = [
        (condition, method, rank, image)
        for condition, method in attacked(dataset)
        for rank, image in extremes(dataset, condition, method).items()
    ]
    shown = [(case["condition"], case["clean"]["method"], case["rank"], case["image"]) for case in audit["cases"]]
    assert shown == expected


def test_what_stands_beside_the_shown_images(
    audit: dict[str, Any], dataset: xr.Dataset, slow_scores: xr.DataArray
) -> None:
    classes, conditions = dataset["class"].values.tolist(), dataset.perturbation.values.tolist()
    assert audit["cases"]
    for case in audit["cases"]:
        i, p = dataset.image.values.tolist().index(case["image"]), conditions.index(case["condition"])
        logits, target = dataset.prediction.values[i, [0, p]].astype(np.float64), int(dataset.target.values[i])
        names = [classes[index] for index in logits.argmax(1)]
        assert [case["clean_prediction"], case["perturbed_prediction"]] == names
        probabilities = [case["clean_probability"], case["perturbed_probability"]]
        assert probabilities == pytest.approx(softmax(logits, 1)[:, target].tolist(), abs=TOLERANCE)
        assert (case["label"], case["explained"]) == (classes[dataset.label.values[i]], classes[target])
        scores = slow_scores[i].sel({"perturbation": case["condition"], "method": case["clean"]["method"]})
        similarities = {
            name: float(scores.sel(metric=name)) for name in ("pearson", "coarse_pearson", "ssim", "top_k_intersection")
        }
        assert case["similarities"] == pytest.approx(similarities, abs=TOLERANCE)
