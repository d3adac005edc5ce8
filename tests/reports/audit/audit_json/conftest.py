"""Scores again, from the stored images and maps, in plain numpy and loops."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from slow_metrics import SLOW as DEFINITIONS

from srd.registry import ATTRIBUTORS, METRICS

Array = NDArray[Any]


def gaussian_window() -> Array:
    """11 x 11, sigma 1.5, sum 1."""
    line = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window: Array = np.outer(line, line) / np.outer(line, line).sum()
    return window


WINDOW = gaussian_window()


def smoothed(image: Array) -> Array:
    result: Array = np.einsum("yxij,ij->yx", sliding_window_view(image, (11, 11)), WINDOW)
    return result


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
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan
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


OWN: dict[str, Callable[..., float]] = {
    "ssim": slow_ssim,
    "top_k_intersection": slow_top_k,
    "pointing_game": slow_pointing,
    "sparseness": slow_gini,
    "attribution_localisation": slow_localisation,
}
SLOW: Mapping[str, Callable[..., float]] = {**DEFINITIONS, **OWN}
SUPPORTING = 2  # images whose scores by metrics that are not core are computed again; others are taken as stored


@pytest.fixture(scope="session")
def slow_similarities() -> Mapping[str, Callable[..., float]]:
    """By name."""
    return SLOW


@pytest.fixture(scope="session")
def maps(dataset: xr.Dataset) -> Array:
    """(image, perturbation, method, y, x)."""
    return np.asarray(dataset.attribution.values.astype(np.float64) * dataset.scale.values[..., None, None])


@pytest.fixture(scope="session")
def slow_scores(dataset: xr.Dataset, maps: Array) -> xr.DataArray:
    """As `score` in the store."""
    scores: xr.DataArray = dataset.score.astype(np.float64)
    methods = dataset.method.values.tolist()
    for column, name in enumerate(dataset.metric.values.tolist()):
        for i, p, m in np.ndindex(maps.shape[:3]):
            if METRICS[name].core or i < SUPPORTING:
                one, mask = maps[i, p, m], dataset["mask"].values[i]
                given = {"two maps": (maps[i, 0, m], one), "map and mask": (one, mask), "map": (one,)}
                lacks_sign = METRICS[name].needs_sign and not ATTRIBUTORS[methods[m]].signed
                scores.values[i, p, m, column] = math.nan if lacks_sign else SLOW[name](*given[METRICS[name].of])
    return scores


@pytest.fixture(scope="session")
def audit(folder: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((folder / "audit.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)
    return result
