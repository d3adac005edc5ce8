"""The figures of the section on faithfulness: removal curves of each method beside those of the controls, and SRG."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pipeline.plan.axes import CONTROLS
from pipeline.spec.measure import DECIDING_FILL
from reports.audit.estimates import estimate_frame
from reports.audit.faithfulness.fields import FaithfulnessFields, RemovalCurve
from reports.audit.faithfulness.tables import TITLES
from reports.formatting import Caveats
from reports.plot_primitives import (
    Picture,
    caveat_note,
    count_range,
    despine_all,
    distinct_texts,
    draw_points,
    grid,
    label_methods,
    name_families,
    short_title,
    values_in_words,
)
from reports.statistics import unit
from reports.style import GREY, INK, look, svg

WIDTH = 4
Line = Literal["-", "--", ":", "-."]
LINES: dict[str, Line] = {"most": "-", "least": "--"}
"""Which pixels are removed first -> the line of a method's curve."""
CONTROL_LINES: dict[str, Line] = {"random": ":", "edges": "-."}


def faithfulness_figures(result: FaithfulnessFields) -> Iterator[Picture]:
    """Yield the removal curves of each fill, and the SRG of all methods."""
    for fill in dict.fromkeys(each.fill for each in result.removal_curves):
        curves = [each for each in result.removal_curves if each.fill == fill and each.points]
        if not all(each.is_control for each in curves):
            yield _curves_picture(result, fill, curves)
    yield from _srg_picture(result)


def _curves_picture(result: FaithfulnessFields, fill: str, curves: Sequence[RemovalCurve]) -> Picture:
    methods = list(dict.fromkeys(each.method for each in curves if not each.is_control))
    counts = count_range(pd.Series([each.n for each in curves]))
    caption = (
        f"Mean probability of the explained class as pixels are replaced ({fill}): those of the highest values first "
        "(solid), or last (dashed). A faithful map loses the answer early on the first and late on the second. Grey: "
        f"random order and order of the edges. Bands: 95 % t intervals, at each step alone; n = {counts}."
    )
    caption += caveat_note(methods, result.caveats)
    alt = "; ".join(f"{_name(each, result)}, {each.order} first: {_halfway(each)}" for each in curves)
    figure = _curves_figure(methods, curves, result.caveats)
    return Picture(
        f"removal-{fill}",
        svg(figure),
        caption,
        f"Probability with half of the pixels removed. {alt}.",
        "removal-curves",
    )


def _name(curve: RemovalCurve, result: FaithfulnessFields) -> str:
    return TITLES[curve.method] if curve.is_control else result.title_of(curve.method)


def _halfway(curve: RemovalCurve) -> str:
    return f"{min(curve.points, key=lambda point: abs(point.removed - 0.5)).mean:.2f}"


def _curves_figure(methods: Sequence[str], curves: Iterable[RemovalCurve], caveats: Caveats) -> Figure:
    known = list(curves)
    rows = -(-len(methods) // WIDTH)
    figure = Figure(figsize=(10, 0.8 + 2.1 * rows), layout="constrained")
    panels = grid(figure, WIDTH, len(methods))
    for axes, method in zip(panels, methods, strict=True):
        for curve in known:
            if curve.is_control:
                _draw_line(axes, curve, GREY, CONTROL_LINES[curve.method], 1.0)
        for curve in known:
            if not curve.is_control and curve.method == method:
                _draw_line(axes, curve, look(method)["color"], LINES[curve.order], 1.7)
                _draw_band(axes, curve, look(method)["color"])
        axes.set_title(short_title(method, caveats))
        axes.set(xlim=(0, 1), ylim=(0, 1.02))
    despine_all(panels)
    figure.supxlabel("share of the pixels removed", fontsize=9.5)
    figure.supylabel("mean probability of the explained class", fontsize=9.5)
    _add_legend(figure)
    return figure


def _add_legend(figure: Figure) -> None:
    styles: list[tuple[str, str, Line]] = [("highest first", INK, "-"), ("lowest first", INK, "--")]
    styles += [(TITLES[control].lower(), GREY, CONTROL_LINES[control]) for control in CONTROLS]
    handles = [Line2D([], [], color=colour, linestyle=line) for _, colour, line in styles]
    figure.legend(handles, [name for name, _, _ in styles], loc="outside upper center", ncols=4, frameon=False)


def _draw_line(axes: Axes, curve: RemovalCurve, colour: str, line: Line, width: float) -> None:
    shares, means = [each.removed for each in curve.points], [each.mean for each in curve.points]
    axes.plot(shares, means, color=colour, linestyle=line, linewidth=width)


def _draw_band(axes: Axes, curve: RemovalCurve, colour: str) -> None:
    ends = [(each.removed, each.low, each.high) for each in curve.points if each.low is not None]
    if ends:
        shares, low, high = zip(*ends, strict=True)
        axes.fill_between(shares, low, high, color=colour, alpha=0.18, linewidth=0)


def _srg_picture(result: FaithfulnessFields) -> Iterator[Picture]:
    frame = estimate_frame(each for each in result.faithfulness if each.metric == "srg")
    if frame.empty or frame["value"].isna().all():
        return
    lines = {each.control: each.estimate.value for each in result.control_scores if each.metric == "srg"}
    told = ", ".join(f"{TITLES[name].lower()} {value:.2f}" for name, value in lines.items() if value is not None)
    caption = (
        f"SRG with {DECIDING_FILL} (95 % intervals). Grey lines: orders that never saw the network ({told}); a map "
        "that is not right of both tells no more of the answer than they do."
    )
    caption += caveat_note(frame["method"], result.caveats)
    figure = _srg_figure(frame, lines, result.caveats)
    yield Picture(
        "srg",
        svg(figure),
        caption,
        f"SRG: {values_in_words(frame, 'method', result.title_of)}; {told}.",
        "faithfulness",
    )


def _srg_figure(frame: pd.DataFrame, lines: dict[str, float | None], caveats: Caveats) -> Figure:
    methods = distinct_texts(frame["method"])
    figure = Figure(figsize=(8, 1.3 + 0.32 * len(methods)), layout="constrained")
    axes = figure.subplots()
    for method in methods:
        draw_points(axes, frame[frame["method"] == method], methods, "method", 0.0, look(method))
    for control, value in lines.items():
        if value is not None:
            axes.axvline(value, color=GREY, linestyle=CONTROL_LINES[control], linewidth=1.2)
    label_methods(axes, methods, caveats)
    name_families(axes, methods)
    axes.set_xlabel(unit("srg"))
    handles = [Line2D([], [], color=GREY, linestyle=CONTROL_LINES[name]) for name in lines]
    figure.legend(handles, [TITLES[name] for name in lines], loc="outside upper center", ncols=2, frameon=False)
    return figure
