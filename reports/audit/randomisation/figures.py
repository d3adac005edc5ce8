"""The figure of the section on randomisation: similarity to the maps of ever more re-drawn networks."""

from collections.abc import Iterator

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.audit.randomisation.fields import DepthSimilarity, RandomisationFields
from reports.plot_primitives import Picture, caveat_note, despine_all, grid, short_number, short_title
from reports.result import MEASURE, Estimate
from reports.statistics import unit
from reports.style import GREY, INK, look, svg

WIDTH = 4
Depths = dict[str, list[DepthSimilarity]]
"""Method -> its similarities, by depth."""


def randomisation_figures(result: RandomisationFields) -> Iterator[Picture]:
    """Yield the similarities of all methods by depth, with the floor of each."""
    by_method: Depths = {}
    for each in result.depth_similarities:
        by_method.setdefault(each.method, []).append(each)
    shown = {name: found for name, found in by_method.items() if any(each.estimate.value is not None for each in found)}
    if not shown:
        return
    caption = (
        f"Correlation of the clean map with that of the network whose layers are drawn again, from the input on, a "
        f"quarter at a time (95 % intervals; n = {result.explained_again} images). At full depth the interval is over "
        "re-draws, before it over images of one re-draw. Dashed: correlation with the map of another image; a map "
        "that falls as low has nothing left of the one before."
    )
    caption += caveat_note(shown, result.caveats)
    alt = "; ".join(f"{result.title_of(name)}: {_in_words(found)}" for name, found in shown.items())
    yield Picture(
        "randomisation", svg(_figure(result, shown)), caption, f"Correlation by depth. {alt}.", "randomisation"
    )


def _in_words(found: list[DepthSimilarity]) -> str:
    return ", ".join(f"{each.depth} {short_number(each.estimate.value)}" for each in found)


def _figure(result: RandomisationFields, shown: Depths) -> Figure:
    floors = {each.method: each.estimate.value for each in result.redrawn_floors}
    figure = Figure(figsize=(10, 0.9 + 2.0 * -(-len(shown) // WIDTH)), layout="constrained")
    panels = grid(figure, WIDTH, len(shown))
    means = [each.estimate.value for found in shown.values() for each in found if each.estimate.value is not None]
    panels[0].set_ylim(min(-0.35, min(means) - 0.15), 1.08)  # of all panels, which share it
    for axes, (method, found) in zip(panels, shown.items(), strict=True):
        _draw_method(axes, method, found)
        floor = floors.get(method)
        if floor is not None:
            axes.axhline(floor, color=GREY, linestyle="--", linewidth=1.2)
        axes.set_title(short_title(method, result.caveats))
    despine_all(panels)
    figure.supxlabel("share of the layers drawn again", fontsize=9.5)
    figure.supylabel(unit(MEASURE), fontsize=9.5)
    handles = [Line2D([], [], color=INK, marker="o"), Line2D([], [], color=GREY, linestyle="--")]
    names = ["re-drawn weights", "another image"]
    figure.legend(handles, names, loc="outside upper center", ncols=2, frameon=False)
    return figure


def _draw_method(axes: Axes, method: str, found: list[DepthSimilarity]) -> None:
    """Draw the line from the network as it is, where a map is like itself."""
    known = [(each.depth, each.estimate) for each in found if each.estimate.value is not None]
    labels, values = ["0", *(depth for depth, _ in known)], [1.0, *(each.value or 0.0 for _, each in known)]
    low, high = ([0.0, *(_length(each, end) for _, each in known)] for end in ("low", "high"))
    axes.errorbar(range(len(labels)), values, yerr=[low, high], linewidth=1.5, elinewidth=1.2, markersize=4.5,
                  **look(method))  # fmt: skip
    axes.set_xticks(range(len(labels)), labels)


def _length(estimate: Estimate, end: str) -> float:
    limit = getattr(estimate, end)
    return 0.0 if limit is None or estimate.value is None else max(0.0, abs(limit - estimate.value))
