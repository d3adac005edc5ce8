"""The figure of variants: a row per method, with the relative change of its maps by each variant."""

from collections.abc import Sequence
from textwrap import fill

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.formatting import NONE, Caveats, title_with_caveat
from reports.plot_primitives import (
    Picture,
    caveat_note,
    draw_points,
    label_methods,
    name_families,
)
from reports.result import Estimate
from reports.statistics import unit
from reports.style import GREY, INK, MARKERS, Look, figure_style, look, svg
from reports.variants.result import VariantsResult

OTHER_IMAGE = "map of another image"
REPEAT = "repeat by other draws"
SCALES: dict[str, Look] = {
    OTHER_IMAGE: {"marker": "x", "color": GREY},
    REPEAT: {"marker": "|", "color": GREY},
}
"""The styles of what the network's own maps say of the scale. A variant has the method's colour."""
CHANGE = "relative_change"
"""The metric that says how far maps move where similarities are rounded to 1."""
LETTERS = 60
SPREAD = 0.6
"""The part of a row over which its points are spread."""


def small(value: float | None) -> str:
    """Return a value that may be as small as rounding, with two digits that count."""
    return NONE if value is None else f"{value:.2g}"


def picture(result: VariantsResult) -> Picture:
    """Draw the relative changes of all methods' maps, on a logarithmic axis."""
    frame, methods = _frame(result), list(result.spec["explain"]["methods"])
    styles = _styles([each.variant for each in result.answers])
    caption = (
        f"{unit(CHANGE)}, from the network's map to that of each variant, of the same images. Grey: to its map of "
        f"another image, and, of methods that draw at random, to a repeat. Means over the images with 95 % intervals, "
        f"on a logarithmic axis; maps that are equal bit for bit are not drawn."
        f"{caveat_note(frame['method'], result.caveats)}"
    )
    words = "; ".join(
        f"{source}: {_values_in_words(part, result.caveats)}" for source, part in frame.groupby("source", sort=False)
    )
    with figure_style():
        figure = Figure(figsize=(9, 1.7 + (0.35 + 0.12 * len(styles)) * len(methods)), layout="constrained")
        axes = figure.subplots()
        for (source, method), part in frame[frame["value"] > 0].groupby(["source", "method"], sort=False):
            style = {"color": look(str(method))["color"], **styles[str(source)]}
            draw_points(axes, part, methods, "method", _offset(list(styles).index(str(source)), len(styles)), style)
        label_methods(axes, methods, result.caveats)
        axes.set_xscale("log")
        axes.set_xlabel(fill(unit(CHANGE), LETTERS))
        name_families(axes, methods)
        handles = [Line2D([], [], linestyle="none", **{"color": INK, **style}) for style in styles.values()]
        figure.legend(handles, list(styles), loc="outside upper center", ncols=4, frameon=False)
        return Picture("variants", svg(figure), caption, f"{caption} {words}.")


def _styles(variants: Sequence[str]) -> dict[str, Look]:
    marked: dict[str, Look] = {
        name: {"marker": MARKERS[row % len(MARKERS)], "fillstyle": "full" if row < len(MARKERS) else "none"}
        for row, name in enumerate(variants)
    }
    return marked | SCALES


def _offset(place: int, count: int) -> float:
    return SPREAD * (place / (count - 1) - 0.5)


def _frame(result: VariantsResult) -> pd.DataFrame:
    """Return the relative changes of every source of maps: the variants, and the network's own."""
    moved = [_row(each.variant, each.method, each.estimate) for each in result.moved if each.quantity == CHANGE]
    scales = [each for each in result.scale if each.quantity == CHANGE]
    others = [_row(OTHER_IMAGE, each.method, each.other_image) for each in scales]
    repeats = [_row(REPEAT, each.method, each.repeat) for each in scales if each.repeat]
    return pd.DataFrame([*moved, *others, *repeats])


def _values_in_words(frame: pd.DataFrame, caveats: Caveats) -> str:
    pairs = zip(frame["method"], frame["value"], strict=True)
    return ", ".join(f"{title_with_caveat(str(method), caveats)} {small(value)}" for method, value in pairs)


def _row(source: str, method: str, estimate: Estimate) -> dict[str, object]:
    return {"source": source, "method": method, **estimate.model_dump(include={"value", "low", "high", "n"})}
