"""Panels of images and maps, drawn from the store; those of one case lie on one sheet, which is one file."""

import numpy as np
from numpy.typing import NDArray

from pipeline.plan.conditions import CLEAN
from pipeline.plan.schema import REASONS, Reason
from reports.audit.readings import NOT_COMPUTED, Readings
from reports.pixels import Mask, Pixels, clipped_share, colour_limit, panel_size
from reports.result import ResultModel

FOLDER = "maps"


class Sheet(ResultModel):
    """A picture of panels of equal size, row by row, so that a case is one file."""

    file: str
    width: int
    """Of a panel, in pixels."""
    height: int
    columns: int
    rows: int = 1


class MapPanel(ResultModel):
    """A panel that shows a map: its place on a sheet and the scale of its colours."""

    method: str
    place: int | None
    """Place on the sheet, counted row by row from 0; None if there is no map."""
    limit: float | None
    """White is 0, and the colours end at -limit and +limit; None if there is no map."""
    clipped: float | None
    """Share of the pixels beyond the limits."""
    reason: str = ""
    """The reason why there is no map."""


def sheet_of(readings: Readings, file: str, columns: int, rows: int, longest: int) -> Sheet:
    """Return a sheet of panels of the run's images."""
    height, width = panel_size(readings.dataset.sizes["y"], readings.dataset.sizes["x"], longest)
    return Sheet(file=f"{FOLDER}/{file}.png", width=width, height=height, columns=columns, rows=rows)


def longest_side(sheet: Sheet) -> int:
    """Return the longest side of a panel, in pixels."""
    return max(sheet.width, sheet.height)


def panel_on_own_scale(readings: Readings, row: int, method: str, place: int) -> MapPanel:
    """Return the panel of a clean map, whose colours end at a limit of its own, or the reason why there is none."""
    pixels = stored_map(readings, row, CLEAN, method)
    if not np.isfinite(pixels).all():
        reason = REASONS[Reason.NOT_FINITE] if readings.is_attributed(method)[row] else NOT_COMPUTED
        return MapPanel(method=method, place=None, limit=None, clipped=None, reason=reason)
    return panel_of(method, place, pixels, colour_limit(pixels)[0])


def panel_of(method: str, place: int, pixels: Pixels, end: float) -> MapPanel:
    """Return the panel of a map at a place on its sheet, whose colours end at -end and +end."""
    return MapPanel(method=method, place=place, limit=end, clipped=clipped_share(pixels, end))


def native_side(readings: Readings) -> int:
    """Return the longest side of the run's images, in pixels."""
    return max(readings.dataset.sizes["y"], readings.dataset.sizes["x"])


def image_of(readings: Readings, row: int, condition: str) -> Pixels:
    """Return an image under a condition, in the first of its draws: (c, h, w) in [0, 1]."""
    column = readings.columns(condition)[0]
    return np.asarray(readings.dataset["input"].isel(image=row, perturbation=column).values)


def stored_map(readings: Readings, row: int, condition: str, method: str) -> Pixels:
    """Return the map of an image under a condition, in the first of its draws."""
    where = {
        "image": row,
        "perturbation": readings.columns(condition)[0],
        "method": readings.methods.index(method),
    }
    dataset = readings.dataset
    values = dataset["attribution"].isel(where).values.astype(np.float32) * dataset["scale"].isel(where).values
    return np.asarray(values, np.float32)


def mask_of(readings: Readings, row: int) -> Mask | None:
    """Return the mask of the object of an image; None if it has none."""
    if not readings.has_masks:
        return None
    mask: NDArray[np.bool_] = np.asarray(readings.dataset["mask"].isel(image=row).values)
    return mask if mask.any() else None
