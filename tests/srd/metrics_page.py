"""docs/metrics.md, as `make docs` writes it."""

import inspect
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import metric_arguments
import numpy as np
import torch
from captum.metrics import infidelity, sensitivity_max
from fixed_maps import MASK, PAIRS, SIDE, TIED
from measured_table import origin, row
from numpy.typing import NDArray
from scipy.ndimage import center_of_mass, distance_transform_edt, maximum_filter
from scipy.stats import entropy, pearsonr, spearmanr, wasserstein_distance
from sklearn.metrics import roc_auc_score
from slow_metrics import SLOW

from srd.entries import MetricEntry
from srd.metrics._maps import top_k
from srd.registry import METRICS

NAMED = 3
"""Cells of a row that are no figures."""
RECORDED: dict[str, Any] = json.loads((Path(__file__).parent / "quantus_values.json").read_text(encoding="utf-8"))
VERSIONS = RECORDED["versions"]
EQUAL = 2e-6
Map = NDArray[Any]


@dataclass(frozen=True)
class Oracle:
    """Other people's code for a metric: (clean map, other map or mask) -> score."""

    what: str
    score: Callable[..., float]


def _shift(a: Map, b: Map) -> float:
    return math.dist(center_of_mass(np.abs(a)), center_of_mass(np.abs(b))) / math.hypot(*a.shape)


def _captums(a: Map, b: Map) -> float:
    clean, stored = (torch.from_numpy(each)[None] for each in (a, b))
    given = iter([clean, stored])
    found = sensitivity_max(lambda _: (next(given),), clean, perturb_func=lambda inputs, _: inputs, n_perturb_samples=1)
    return float(found)


def _near(a: Map, b: Map) -> float:
    first, second = (top_k(torch.from_numpy(each)[None])[0].numpy() for each in (a, b))
    return (_recall(first, second) + _recall(second, first)) / 2


def _recall(first: Map, second: Map) -> float:
    near = maximum_filter(first, size=3, mode="constant")
    return float((near[second].mean() - near.mean()) / (1 - near.mean()))


def _wasserstein(a: Map, b: Map) -> float:
    places = np.arange(SIDE)
    sides = [[np.maximum(each, 0).sum(axis) for each in (a, b)] for axis in (0, 1)]
    return float(np.mean([wasserstein_distance(places, places, *marginals) for marginals in sides])) / SIDE


def _points_near(a: Map, mask: Map) -> float:
    return float(distance_transform_edt(~mask).ravel()[a.argmax()] < 15 * SIDE / 224)


def _recorded_ssim(a: Map, _: Map) -> float:
    kind = next(kind for kind, pair in PAIRS.items() if pair[0][0, 0] == a[0, 0])
    return float(RECORDED["values"][kind]["scikit-image"])


def _area(curve: Map) -> float:
    return float(np.trapezoid(curve)) / (len(curve) - 1)


def _mean_pearson(sums: Map, drops: Map) -> float:
    blocks = zip(*(np.split(each, 3) for each in (sums, drops)), strict=True)
    return float(np.mean([pearsonr(*block).statistic for block in blocks]))


def _captums_infidelity(sums: Map, drops: Map) -> float:
    """A network that returns its input, of which captum takes these drops, and a map of one pixel that is 1."""

    def perturb(_: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.from_numpy(sums)[:, None], torch.from_numpy(-drops)[:, None]

    one = torch.ones(1, 1, dtype=torch.float64)
    return float(infidelity(lambda x: x[:, 0], perturb, 0 * one, one, n_perturb_samples=len(sums), normalize=True))


def _rise(clean: Map, redrawn: Map) -> float:
    before, after = (entropy(np.histogram(each, 100)[0]) for each in (clean, redrawn))
    return float((after - before) / before)


def _slow(name: str) -> Oracle:
    return Oracle("definition in numpy", SLOW[name])


ORACLES: Mapping[str, Oracle] = {
    "pearson": Oracle("scipy `pearsonr`", lambda a, b: float(pearsonr(a.ravel(), b.ravel()).statistic)),
    "ssim": Oracle("scikit-image, same window (recorded)", _recorded_ssim),
    "mass_centre_shift": Oracle("scipy `center_of_mass`", _shift),
    "relative_change": Oracle("captum `sensitivity_max`", _captums),
    "spearman": Oracle("scipy `spearmanr`", lambda a, b: float(spearmanr(a.ravel(), b.ravel()).statistic)),
    "top_k_near": Oracle("scipy `maximum_filter`, corrected", _near),
    "sliced_w1": Oracle("scipy `wasserstein_distance`", _wasserstein),
    "pointing_game_near": Oracle("scipy `distance_transform_edt`", _points_near),
    "roc_auc": Oracle("scikit-learn `roc_auc_score`", lambda a, s: float(roc_auc_score(s.ravel(), a.ravel()))),
    "entropy": Oracle("scipy `entropy` / ln N", lambda a: float(entropy(np.abs(a).ravel())) / math.log(a.size)),
    **dict.fromkeys(("deletion", "deletion_black"), Oracle("numpy `trapezoid`", lambda most, least: _area(most))),
    **dict.fromkeys(("insertion", "insertion_black"), Oracle("numpy `trapezoid`", lambda most, least: _area(least))),
    **dict.fromkeys(
        ("srg", "srg_black", "srg_narrow_blur", "srg_wide_blur"),
        Oracle("numpy `trapezoid`", lambda most, least: _area(least) - _area(most)),
    ),
    **dict.fromkeys(
        ("mu_fidelity", "single_deletion"), Oracle("scipy `spearmanr`", lambda s, d: float(spearmanr(s, d).statistic))
    ),
    "sensitivity_n": Oracle("scipy `pearsonr`, mean of 3 sizes", _mean_pearson),
    "infidelity": Oracle("captum `infidelity`, normalised", _captums_infidelity),
    "complexity_rise": Oracle("scipy `entropy` of numpy `histogram`", _rise),
}
"""The metrics that a library has; to the others, their slow definitions are held."""

CAUSES = {
    ("ssim", ""): "windows of 7 x 7 equal weights, the sample covariance, and the joint range of unscaled maps",
    ("entropy", ""): "not divided by ln N; times ln N, ours is its value",
    ("rank_accuracy", TIED): "equals come in the order of an unstable sort",
}
"""Why Quantus' value is another: metric and kind of maps, or all kinds."""

HEADER = f"""\
# Metrics

Written by `make docs`: facts from `srd/metrics/`, and what each metric makes of two pairs of fixed maps
(`tests/srd/fixed_maps.py`), {SIDE} x {SIDE}, float32, beside other people's code. Sums are in float64, but those of
Pearson correlation, SSIM, attribution localisation and sparseness, which are in the maps' own precision. Metrics of
curves, subsets and sums read answers of a network; here it is linear (`tests/srd/metric_arguments.py`), and the other
map stands for that of re-drawn weights. Laws of all metrics are tested in `tests/test_contracts.py`, definitions and
oracles in `tests/srd/metrics`, removal and re-drawing in `tests/srd/removal` and `tests/srd/test_redrawn.py`.

{{origin}}

Quantus {VERSIONS["quantus"]}, which needs numpy < 2.4, is recorded, with scikit-image {VERSIONS["scikit-image"]}, by
the command in `tests/srd/quantus_values.py`: one map at a time, `normalise=False`, `abs=True` for sparseness and
entropy only. A difference to the oracle is at most {EQUAL:g}, or that share of a value above 1; one to Quantus above
it has its cause in the last column.

Of what asks a network, Quantus has a value here for the rise of complexity alone, which is a function of two maps
there too. To its metrics of removal nobody can hand these subsets or curves: each draws or orders what it removes by
itself, each channel of a pixel by its own, and its curves start after the first step. Its completeness is
whether two floating-point numbers are equal. What both cost is in [benchmarks.md](benchmarks.md).

| metric | maps | oracle | ours | oracle's | difference | Quantus | difference | cause |
|---|---|---|---|---|---|---|---|---|
"""


def arguments(entry: MetricEntry, kind: str) -> tuple[Map, ...]:
    a, b, mask = (torch.from_numpy(each)[None] for each in (*PAIRS[kind], MASK))
    return tuple(each[0].numpy() for each in metric_arguments.arguments(entry, a, b, mask))


def ours(entry: MetricEntry, kind: str) -> float:
    return float(entry(*(torch.as_tensor(each)[None] for each in arguments(entry, kind))))


def oracles(entry: MetricEntry, kind: str) -> float:
    doubles = (each.astype(np.float64) if each.dtype == np.float32 else each for each in arguments(entry, kind))
    return oracle_of(entry.name).score(*doubles)


def oracle_of(name: str) -> Oracle:
    return ORACLES.get(name) or _slow(name)


def quantus(name: str, kind: str) -> float | None:
    found: float | None = RECORDED["values"][kind].get(name)
    return found


def cause(name: str, kind: str) -> str:
    return CAUSES.get((name, kind)) or CAUSES.get((name, ""), "")


def figures(entry: MetricEntry, kind: str) -> list[str]:
    """The cells that are measured."""
    own, other, theirs = ours(entry, kind), oracles(entry, kind), quantus(entry.name, kind)
    cells = [f"{own:.6f}", f"{other:.6f}", f"{abs(own - other):.0e}"]
    if theirs is None:
        return [*cells, "-", "-", ""]
    return [*cells, f"{theirs:.6f}", f"{abs(own - theirs):.0e}", cause(entry.name, kind)]


def page(figures: Callable[[MetricEntry, str], list[str]] = figures) -> str:
    rows = (
        row(entry.title, kind, oracle_of(entry.name).what, *figures(entry, kind))
        for entry in METRICS.values()
        for kind in PAIRS
    )
    return HEADER.format(origin=origin("torch", "captum", "scipy", "scikit-learn")) + "".join(rows) + facts()


def facts() -> str:
    """What each metric is, by its docstring and its entry."""
    return "".join(f"\n## {entry.title}\n\n{_fact(entry)}" for entry in METRICS.values())


def _fact(entry: MetricEntry) -> str:
    described = inspect.getdoc(entry.load()) or ""
    text = " ".join(described.partition("References\n")[0].partition("Raises\n")[0].split())
    lines = [
        f"`{entry.name}`, of {entry.of}, {entry.category}{', core' if entry.core else ''}. {text}",
        f"Unit: {entry.unit}; {_bounds(entry)}; better: {entry.better or 'neither'}.",
        f"Unchanged by: {', '.join(entry.invariances)}{'; exchange of the maps' if entry.symmetric else ''}.",
        f"Removed: {_removed(entry)}." if entry.fill else "",
        entry.note,
        f"Source: {entry.reference}." if entry.reference else "",
    ]
    return "\n".join(f"- {line}" for line in lines if line) + "\n"


def _removed(entry: MetricEntry) -> str:
    what = {"": "pixels in the map's order", "random": "cells at random", "cells": "each cell alone"}
    return f"{what.get(entry.design, 'cells, of fixed numbers')}, filled with {entry.fill.replace('_', ' ')}"


def _bounds(entry: MetricEntry) -> str:
    low, high = entry.bounds
    if math.isinf(low):
        return f"at most {high:g}"
    return f"at least {low:g}" if math.isinf(high) else f"{low:g} to {high:g}"
