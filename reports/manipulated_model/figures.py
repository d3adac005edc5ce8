"""The figure of a manipulated model: a row per method, with its similarities and its progress to the goal."""

from functools import partial
from textwrap import fill

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.formatting import Caveats, title_with_caveat
from reports.manipulated_model.result import TITLES, ManipulationResult
from reports.plot_primitives import (
    Picture,
    caveat_note,
    distinct_texts,
    draw_points,
    label_methods,
    name_families,
    values_in_words,
)
from reports.result import MEASURE, Estimate
from reports.statistics import unit
from reports.style import GREY, INK, Look, figure_style, look, svg

STYLES: dict[str, Look] = {
    "original": {"marker": "o", "color": GREY, "fillstyle": "none"},
    "control": {"marker": "o", "color": GREY},
    "manipulated": {"marker": "v"},
}
"""The styles of the networks. The manipulated network has the method's colour."""
OFFSETS = {"original": -0.22, "control": 0.0, "manipulated": 0.22}
LETTERS = 40


def picture(result: ManipulationResult) -> Picture:
    """Draw the similarities of all methods' maps, and their progress to the goal."""
    moved, reached = _similarity_frame(result), _goal_frame(result)
    caption = (
        f"Left: {unit(MEASURE)}, of the original's maps and those of each copy. Right: "
        f"{result.reached[0].original.unit}. Means over the held-out images with 95 % intervals."
        f"{caveat_note(moved['method'], result.caveats)}"
    )
    words = "; ".join(
        f"{TITLES[str(network)]}: {values_in_words(part, 'method', partial(title_with_caveat, caveats=result.caveats))}"
        for network, part in moved.groupby("network")
    )
    with figure_style():
        figure = Figure(figsize=(11, 1.7 + 0.5 * len(distinct_texts(moved["method"]))), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        _panel(left, moved, unit(MEASURE), result.caveats)
        _panel(right, reached, result.reached[0].original.unit, result.caveats)
        name_families(right, distinct_texts(moved["method"]))
        handles = [Line2D([], [], linestyle="none", **{"color": INK, **style}) for style in STYLES.values()]
        figure.legend(handles, [TITLES[name] for name in STYLES], loc="outside upper center", ncols=3, frameon=False)
        return Picture("methods", svg(figure), caption, f"{caption} {words}.")


def _panel(axes: Axes, frame: pd.DataFrame, label: str, caveats: Caveats) -> None:
    methods = distinct_texts(frame["method"])
    for (network, method), part in frame.groupby(["network", "method"], sort=False):
        style = {"color": look(str(method))["color"], **STYLES[str(network)]}
        draw_points(axes, part, methods, "method", OFFSETS[str(network)], style)
    label_methods(axes, methods, caveats)
    axes.set_xlabel(fill(label, LETTERS))


def _similarity_frame(result: ManipulationResult) -> pd.DataFrame:
    return pd.DataFrame(
        _row(each.method, network, getattr(each, network))
        for each in result.moved
        if each.similarity == MEASURE
        for network in ("control", "manipulated")
    )


def _goal_frame(result: ManipulationResult) -> pd.DataFrame:
    return pd.DataFrame(
        _row(each.method, network, getattr(each, network)) for each in result.reached for network in STYLES
    )


def _row(method: str, network: str, estimate: Estimate) -> dict[str, object]:
    return {"method": method, "network": network, **estimate.model_dump(include={"value", "low", "high", "n"})}
