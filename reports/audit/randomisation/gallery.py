"""The maps of one image as ever more layers are drawn again, drawn from the store."""

from collections.abc import Iterator

import numpy as np

from pipeline.machine.writing import File
from pipeline.plan.axes import WHOLE_DEPTH
from pipeline.plan.conditions import CLEAN
from reports.audit.asked_again import is_redrawn
from reports.audit.panels import MapPanel, Sheet, longest_side, native_side, panel_of, sheet_of, stored_map
from reports.audit.randomisation.fields import RedrawnRow
from reports.audit.readings import NOT_COMPUTED, Readings
from reports.pixels import Colours, Pixels, colour_limit, draw_sheet, map_panel, panel_side

AS_IT_IS = "0"
"""The depth of the network that was audited."""


def redrawn_rows(readings: Readings) -> tuple[RedrawnRow, ...]:
    """Return, for each method, the maps of one image at each depth; nothing where no weights were drawn again.

    It is the middle one, in the order of the store, of the images that were explained again.
    """
    row = _shown_image(readings)
    if row is None:
        return ()
    depths = shown_depths(readings)
    return tuple(
        RedrawnRow(
            method=method,
            image=readings.image_ids[row],
            maps={
                depth: _panel(readings, row, method, depth, number * len(depths) + column)
                for column, depth in enumerate(depths)
            },
        )
        for number, method in enumerate(readings.methods)
    )


def redrawn_sheet(readings: Readings) -> Sheet | None:
    """Return the sheet of these maps: a row for each method, a column for each depth; None without any."""
    if _shown_image(readings) is None:
        return None
    rows, columns = len(readings.methods), len(shown_depths(readings))
    longest = panel_side(native_side(readings), rows * columns)
    return sheet_of(readings, "redrawn", columns, rows, longest)


def shown_depths(readings: Readings) -> list[str]:
    """Return the depths that are shown: the network as it is, and, of the re-draws of all weights, the first."""
    return [AS_IT_IS, *(depth for depth in readings.qualities.depths if depth not in readings.qualities.redraws[1:])]


def drawings(readings: Readings, rows: tuple[RedrawnRow, ...], sheet: Sheet | None) -> Iterator[File]:
    """Draw the sheet. Yield its path and its PNG."""
    panels = dict(_panels(readings, rows, longest_side(sheet))) if sheet else {}
    if sheet and panels:
        yield sheet.file, draw_sheet(panels, sheet.columns)


def _panels(readings: Readings, rows: tuple[RedrawnRow, ...], longest: int) -> Iterator[tuple[int, Colours]]:
    for each in rows:
        for depth, panel in each.maps.items():
            if panel.place is not None and panel.limit is not None:
                row = readings.image_ids.index(each.image)
                yield panel.place, map_panel(_map(readings, row, each.method, depth), panel.limit, longest)


def depth_in_words(depth: str) -> str:
    """Return the heading of a depth."""
    share = depth.partition("#")[0]
    if depth == AS_IT_IS:
        return "the network as it is"
    return "all layers" if share == WHOLE_DEPTH else f"{share} of the layers"


def _shown_image(readings: Readings) -> int | None:
    if not readings.qualities.redraws:
        return None
    asked = np.flatnonzero(np.any([is_redrawn(readings, method) for method in readings.methods], axis=0))
    return int(asked[len(asked) // 2]) if len(asked) else None


def _panel(readings: Readings, row: int, method: str, depth: str, place: int) -> MapPanel:
    pixels = _map(readings, row, method, depth)
    if not np.isfinite(pixels).all():
        return MapPanel(method=method, place=None, limit=None, clipped=None, reason=f"{NOT_COMPUTED}, or not finite")
    return panel_of(method, place, pixels, colour_limit(pixels)[0])


def _map(readings: Readings, row: int, method: str, depth: str) -> Pixels:
    if depth == AS_IT_IS:
        return stored_map(readings, row, CLEAN, method)
    where = {"image": row, "method": readings.methods.index(method)}
    chosen = readings.dataset[["randomised_attribution", "randomised_scale"]].isel(where).sel(depth=depth)
    values = chosen["randomised_attribution"].values.astype(np.float32) * chosen["randomised_scale"].values
    return np.asarray(values, np.float32)
