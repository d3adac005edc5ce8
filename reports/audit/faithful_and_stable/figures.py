"""The figure of stability against faithfulness: the methods that were attacked in a plane, all others in its margin."""

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.audit.faithful_and_stable.fields import FaithfulAndStableFields, Tradeoff
from reports.audit.faithful_and_stable.measures import front_of
from reports.audit.faithfulness.figures import CONTROL_LINES
from reports.audit.faithfulness.tables import TITLES
from reports.families import is_control
from reports.formatting import Caveats, enumeration
from reports.plot_primitives import Picture, caveat_note, despine_all, short_number, short_title
from reports.result import Estimate
from reports.style import GREY, look, svg

MARGIN = (-0.22, -0.1)
"""The heights between which methods without a place in the plane stand."""


def tradeoff_figures(result: FaithfulAndStableFields) -> Iterator[Picture]:
    """Yield the plane, if any method has a SRG."""
    found = tuple(each for each in result.tradeoffs if each.srg.value is not None)
    if not found:
        return
    front = front_of(found)
    caption = (
        "Calibrated stability under the strongest reliable attack on the method itself, against SRG (95 % intervals): "
        "above and to the right is better. Below the line: methods without such an attack, or without a scale, by SRG "
        "alone. Vertical lines: orders that never saw the network."
    )
    if front:
        names = enumeration(result.title_of(each.method) for each in front)
        caption += f" By these means alone no attacked method exceeds {names} in both (grey line)."
    caption += caveat_note((each.method for each in found), result.caveats)
    alt = "; ".join(f"{result.title_of(each.method)}: {_in_words(each)}" for each in found)
    lines = {each.control: each.estimate for each in result.control_scores if each.metric == "srg"}
    yield Picture(
        "pareto", svg(_figure(found, front, lines, result.caveats)), caption, f"{alt}.", "faithful-and-stable"
    )


def _in_words(each: Tradeoff) -> str:
    gain = f"SRG {short_number(each.srg.value)}"
    return f"{gain}, stability {short_number(each.place[1])}" if each.place else f"{gain}, {each.reason}"


def _figure(found: tuple[Tradeoff, ...], front: list[Tradeoff], lines: dict[str, Estimate], caveats: Caveats) -> Figure:
    figure = Figure(figsize=(10, 5.6), layout="constrained")
    axes = figure.subplots()
    _draw_front(axes, front)
    handles = [_draw_method(axes, each, caveats) for each in _with_margin_places(found)]
    for control, estimate in lines.items():
        if estimate.value is not None:
            axes.axvline(estimate.value, color=GREY, linestyle=CONTROL_LINES[control], linewidth=1.2)
            handles.append(Line2D([], [], color=GREY, linestyle=CONTROL_LINES[control], label=TITLES[control]))
    axes.axhline(MARGIN[1] / 2, color=GREY, linewidth=1)
    axes.set(ylim=(MARGIN[0] - 0.05, 1.04), xlabel="symmetric relevance gain (SRG), blur")
    axes.set_yticks((0, 0.25, 0.5, 0.75, 1))
    axes.set_ylabel("calibrated stability under the strongest reliable attack")
    axes.text(0.005, MARGIN[1] / 2 - 0.01, "not attacked, or no scale", transform=axes.get_yaxis_transform(),
              va="top", color=GREY)  # fmt: skip
    despine_all([axes])
    figure.legend(handles=handles, loc="outside right upper", frameon=False, fontsize=8.5)
    return figure


def _with_margin_places(found: tuple[Tradeoff, ...]) -> Iterator[tuple[Tradeoff, float]]:
    """Yield methods with their height: those in the margin stand at heights of their own."""
    outside = [each.method for each in found if each.place is None]
    heights = dict(zip(outside, np.linspace(*MARGIN, max(len(outside), 1)), strict=False))
    return ((each, float(each.place[1] if each.place else heights[each.method])) for each in found)


def _draw_method(axes: Axes, placed: tuple[Tradeoff, float], caveats: Caveats) -> Line2D:
    each, height = placed
    style = look(each.method)
    x = each.srg.value or 0.0
    stability = each.stability if each.place else None
    axes.errorbar(
        x, height, xerr=_lengths(each.srg), yerr=_lengths(stability) if stability else None, linestyle="none",
        markersize=7, elinewidth=1, fillstyle="none" if is_control(each.method) else "full", **style,
    )  # fmt: skip
    return Line2D([], [], linestyle="none", label=short_title(each.method, caveats), **style)


def _draw_front(axes: Axes, front: list[Tradeoff]) -> None:
    places = [each.place for each in front if each.place]
    if len(places) > 1:
        x, y = zip(*places, strict=True)
        axes.plot(x, y, color=GREY, linewidth=1, zorder=0)


def _lengths(estimate: Estimate) -> list[list[float]]:
    """Return the distances to the ends of an interval, 0 where there is none."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return [[0.0], [0.0]]
    return [[max(0.0, estimate.value - estimate.low)], [max(0.0, estimate.high - estimate.value)]]
