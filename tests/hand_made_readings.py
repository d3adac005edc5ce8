"""Readings of stores made by hand: every number in them is the test's own."""

from collections.abc import Sequence
from unittest.mock import patch

import numpy as np
import xarray as xr

from pipeline.plan.schema import REASONS, Reason
from pipeline.store.attributes import RunAttributes
from reports.audit.readings import Readings

SIDE, CHANNELS, CLASSES = 2, 3, 3
INPUTS = CHANNELS * SIDE * SIDE
MEASURES = ("input_l2", "input_relative", "logit_l2", "feature_relative")
REFERENCES = ("other_class", "other_image", "edges", "repeat")


def small_store(n: int, conditions: Sequence[str] = ("noise",), methods: Sequence[str] = ("saliency",)) -> xr.Dataset:
    """A store of n images of which nothing is known but that all maps are sound; condition 0 is `clean`.

    The group of `noise#2` is `noise`, its draw is 2.
    """
    names = ["clean", *conditions]
    sizes = {"image": n, "perturbation": len(names), "method": len(methods)}
    groups = [name.partition("#") for name in names]
    along = "perturbation"
    coordinates = {
        "image": [f"image {row}" for row in range(n)],
        along: names,
        "method": list(methods),
        "metric": ["pearson", "relative_change"],
        "similarity": ["pearson"],
        "reference": list(REFERENCES),
        "measure": list(MEASURES),
        "class": [f"class {number}" for number in range(CLASSES)],
        "perturbation_name": (along, [group for group, _, _ in groups]),
        "perturbation_family": (along, ["clean", *("noise" for _ in conditions)]),
        "perturbation_against": (along, ["" for _ in names]),
        "perturbation_group": (along, [group for group, _, _ in groups]),
        "perturbation_draw": (along, [int(draw or 0) for _, _, draw in groups]),
    }
    sizes |= {"metric": 2, "similarity": 1, "reference": 4, "measure": 4, "class": CLASSES}
    sizes |= {"channel": CHANNELS, "y": SIDE, "x": SIDE}
    map_of = np.arange(SIDE * SIDE, dtype=float).reshape(SIDE, SIDE)

    def unknown(*dims: str) -> xr.DataArray:
        return xr.DataArray(np.full([sizes[dim] for dim in dims], np.nan), dims=dims)

    def maps(*dims: str) -> xr.DataArray:
        return xr.DataArray(np.broadcast_to(map_of, [sizes[dim] for dim in (*dims, "y", "x")]), dims=(*dims, "y", "x"))

    return xr.Dataset(
        {
            "score": unknown("image", along, "method", "metric"),
            "reason": xr.zeros_like(unknown("image", along, "method", "metric"), dtype=np.uint8),
            "reference_similarity": unknown("image", "method", "reference", "similarity"),
            "target_similarity": unknown("image", along, "method", "similarity"),
            "other_class_similarity": unknown("image", along, "method", "similarity"),
            "change": unknown("image", along, "measure"),
            "prediction": unknown("image", along, "class"),
            "input": maps("image", along, "channel"),
            "attribution": maps("image", along, "method").copy(),
            "other_class_attribution": maps("image", "method").copy(),
            "target": ("image", np.zeros(n, int)),
            "label": ("image", np.zeros(n, int)),
            "target_image": ("image", np.roll(np.arange(n), 1)),
        },
        coordinates,
    )


def readings_of(dataset: xr.Dataset) -> Readings:
    """The store as the report reads it, but for the attributes of a run, of which it has the words of reasons."""
    attributes = RunAttributes.model_construct(reasons=REASONS)
    with patch("reports.audit.readings.read_attributes", return_value=attributes):
        return Readings(dataset)


def set_scores(dataset: xr.Dataset, condition: str, values: Sequence[float], metric: str = "pearson") -> None:
    """Write the scores of all images, of every method."""
    dataset.score.loc[{"perturbation": condition, "metric": metric}] = np.array(values)[:, None]


def set_fault(dataset: xr.Dataset, condition: str, row: int, reason: Reason) -> None:
    """Make the method's own map of one image undefined."""
    dataset.score[row].loc[{"perturbation": condition}] = np.nan
    dataset.reason[row].loc[{"perturbation": condition}] = reason


def set_predictions(dataset: xr.Dataset, condition: str, classes: Sequence[int]) -> None:
    """Write logits of which the largest, 1, is that of the class; -1 stands for nothing computed."""
    rows = [np.full(CLASSES, np.nan) if number < 0 else np.eye(CLASSES)[number] for number in classes]
    dataset.prediction.loc[{"perturbation": condition}] = np.stack(rows)
