"""The figure of variants: a row per method, with the correlation of the network's maps and those of each variant."""

from collections.abc import Sequence
from textwrap import fill

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.formatting import title_with_caveat
from reports.plot_primitives import (
    Picture,
    caveat_note,
    draw_points,
    label_methods,
    name_families,
    values_in_words,
)
from reports.result import MEASURE, Estimate
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
LETTERS = 60
SPREAD = 0.6
"""The part of a row over which its points are spread."""


def picture(result: VariantsResult) -> Picture:
    """Draw the correlations of all methods' maps."""
    frame, methods = _frame(result), list(result.spec["explain"]["methods"])
    styles = _styles([each.variant for each in result.answers])
    caption = (
        f"{unit(MEASURE)}, of the network's maps and those of each variant, of the same images. Grey: the "
        f"network's own maps of two images, and, of methods that draw at random, of one image twice. Means over the "
        f"images with 95 % intervals.{caveat_note(frame['method'], result.caveats)}"
    )
    words = "; ".join(
        f"{source}: {values_in_words(part, 'method', lambda name: title_with_caveat(name, result.caveats))}"
        for source, part in frame.groupby("source", sort=False)
    )
    with figure_style():
        figure = Figure(figsize=(9, 1.7 + (0.35 + 0.12 * len(styles)) * len(methods)), layout="constrained")
        axes = figure.subplots()
        for (source, method), part in frame.groupby(["source", "method"], sort=False):
            style = {"color": look(str(method))["color"], **styles[str(source)]}
            draw_points(axes, part, methods, "method", _offset(list(styles).index(str(source)), len(styles)), style)
        label_methods(axes, methods, result.caveats)
        axes.set_xlabel(fill(unit(MEASURE), LETTERS))
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
    """Return the correlations of every source of maps: the variants, and the network's own."""
    moved = [_row(each.variant, each.method, each.estimate) for each in result.moved if each.quantity == MEASURE]
    scales = [each for each in result.scale if each.quantity == MEASURE]
    others = [_row(OTHER_IMAGE, each.method, each.other_image) for each in scales]
    repeats = [_row(REPEAT, each.method, each.repeat) for each in scales if each.repeat]
    return pd.DataFrame([*moved, *others, *repeats])


def _row(source: str, method: str, estimate: Estimate) -> dict[str, object]:
    return {"source": source, "method": method, **estimate.model_dump(include={"value", "low", "high", "n"})}
