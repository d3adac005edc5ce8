"""Hand-made stores of what the network was asked again: removal curves, qualities, maps of re-drawn networks."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from pipeline.plan.axes import ANSWERS, CONTROLS, ORDERS, RANKINGS
from pipeline.plan.schema import Reason
from srd.registry import QUALITIES

FILLS = ("blur", "black", "narrow_blur", "wide_blur")
STEPS = 4
DEPTHS = ("1/4", "2/4", "3/4", *(f"4/4#{draw}" for draw in range(1, 6)))
Values = NDArray[np.float64]


def ask_again(dataset: xr.Dataset, seed: int = 0) -> xr.Dataset:
    """The store with curves that are drawn at random, and with qualities and similarities that are not known."""
    random = np.random.default_rng(seed)
    sizes = {
        **dataset.sizes,
        "control": 2,
        "fill": len(FILLS),
        "order": 2,
        "step": STEPS + 1,
        "answer": 3,
        "ranking": 2,
    }

    def curves(*dims: str) -> tuple[tuple[str, ...], Values]:
        every = ("image", *dims, "order", "step", "answer")
        return every, random.uniform(size=[sizes[dim] for dim in every])

    coordinates = {
        "control": list(CONTROLS), "fill": list(FILLS), "order": list(ORDERS), "answer": list(ANSWERS),
        "ranking": list(RANKINGS), "step": np.arange(STEPS + 1) / STEPS, "quality": list(QUALITIES),
        "depth": list(DEPTHS),
    }  # fmt: skip
    n, methods = dataset.sizes["image"], dataset.sizes["method"]
    unknown = np.full((n, methods, len(QUALITIES)), np.nan)
    redrawn = [f"weights:{depth}" for depth in DEPTHS]
    wide = dataset.reindex(reference=[*dataset.reference.values, *redrawn])
    maps = random.normal(size=(n, methods, len(DEPTHS), dataset.sizes["y"], dataset.sizes["x"]))
    return wide.assign_coords(coordinates).assign(
        control_curve=curves("control", "fill"),
        curve=curves("method", "fill"),
        attacked_curve=curves("perturbation", "method", "ranking"),
        quality_score=(("image", "method", "quality"), unknown),
        quality_reason=(("image", "method", "quality"), np.zeros(unknown.shape, np.uint8)),
        randomised_attribution=(("image", "method", "depth", "y", "x"), maps),
        randomised_scale=(("image", "method", "depth"), np.ones(maps.shape[:3])),
    )


def set_quality(dataset: xr.Dataset, quality: str, values: ArrayLike, method: str | None = None) -> None:
    """Write a quality of all images, of one method or of all."""
    where = {"quality": quality, **({"method": method} if method else {})}
    found = np.broadcast_to(np.asarray(values, float), dataset.sizes["image"])
    dataset.quality_score.loc[where] = found if method else found[:, None]


def leave_out(dataset: xr.Dataset, rows: Sequence[int], reason: Reason, quality: str | None = None) -> None:
    """Give images no quality, of one or of all, for a reason."""
    where = {"quality": quality} if quality else {}
    for row in rows:
        dataset.quality_score[row].loc[where] = np.nan
        dataset.quality_reason[row].loc[where] = reason


def set_redrawn(dataset: xr.Dataset, values: Values, method: str) -> None:
    """Write the similarities (image, depth) of a method's maps to those of re-drawn networks, by every similarity."""
    for number, depth in enumerate(DEPTHS):
        where = {"method": method, "reference": f"weights:{depth}"}
        dataset.reference_similarity.loc[where] = values[:, number, None]


def srg_in_loops(curves: Values) -> list[float]:
    """The area between the two curves (image, order, step) of each image, trapezoid by trapezoid."""
    found = []
    for most, least in curves:
        area, steps = 0.0, len(most) - 1
        for step in range(steps):
            left, right = least[step] - most[step], least[step + 1] - most[step + 1]
            area += (left + right) / 2 / steps
        found.append(float(area))
    return found
