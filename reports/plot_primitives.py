"""The parts of figures: points with intervals, labelled rows, names of families, and the values in words."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from reports.families import family_of
from reports.formatting import NONE, Caveats, method_title
from reports.style import GREY, INK, Look, colour, despine

DAGGER = "\N{DAGGER}"
RULE = "#e3e3e3"


@dataclass(frozen=True)
class Picture:
    """A figure as SVG, with its caption and a text that gives its numbers in words."""

    name: str
    svg: bytes
    caption: str
    alt: str
    data: str = ""
    """The name of the CSV file of its numbers, if it has one."""

    @property
    def file(self) -> str:
        """Return the path of the figure, relative to the page."""
        return f"figures/{self.name}.svg"


def grid(figure: Figure, width: int, count: int) -> list[Axes]:
    """Add `count` panels to a figure, `width` in a row, and return them. They share their axes."""
    panels = figure.subplots(ceil(count / width), width, sharex=True, sharey=True, squeeze=False).flatten().tolist()
    for axes in panels[count:]:
        axes.remove()
    for axes in panels[max(0, count - width) : count]:
        axes.tick_params(labelbottom=True)
    return list(panels[:count])


def despine_all(panels: Iterable[Axes]) -> None:
    """Remove the frames above and to the right of panels."""
    for axes in panels:
        despine(axes)


def row_ends(panels: Sequence[Axes], width: int) -> list[Axes]:
    """Return the last panel of each row."""
    return [*panels[width - 1 : -1 : width], panels[-1]]


def draw_points(
    axes: Axes, frame: pd.DataFrame, rows: Sequence[Hashable], column: str, offset: float, style: Look
) -> None:
    """Draw values with their intervals, each on the line of its row."""
    y = [rows.index(name) + offset for name in frame[column]]
    axes.errorbar(
        frame["value"], y, xerr=error_lengths(frame), linestyle="none", markersize=5.5, elinewidth=1.3, **style
    )


def label_rows(axes: Axes, labels: Sequence[str]) -> None:
    """Give each label a row of its own, the first on top."""
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    for boundary in range(1, len(labels)):
        axes.axhline(boundary - 0.5, color=RULE, linewidth=0.7)
    despine(axes)


def label_methods(axes: Axes, methods: Sequence[str], caveats: Caveats) -> None:
    """Give each method a row of its own, with a rule between families."""
    label_rows(axes, [short_title(name, caveats) for name in methods])
    part_groups(axes, [family_of(name) for name in methods])


def short_title(method: str, caveats: Caveats) -> str:
    """Return the title of a method in a figure, with a dagger if it has a caveat, which `caveat_note` tells."""
    return f"{method_title(method)} {DAGGER}" if method in caveats else method_title(method)


def caveat_note(methods: Iterable[str], caveats: Caveats) -> str:
    """Return the note below a figure on the methods with a caveat, or nothing if it shows none."""
    told = [f"{method_title(name)}: {caveats[name]}" for name in dict.fromkeys(methods) if name in caveats]
    return f" {DAGGER} {'; '.join(told)}." if told else ""


def part_groups(axes: Axes, groups: Sequence[str], middle: float = 0.0) -> None:
    """Draw a rule where the group of a row changes. `middle` is the position of row 0."""
    for row, _ in _group_starts(groups)[1:]:
        axes.axhline(row + middle - 0.5, color=GREY, linewidth=1)


def name_families(axes: Axes, methods: Sequence[str], middle: float = 0.0) -> None:
    """Write each family at the right of its first row, in its colour. `middle` is the position of row 0."""
    for row, name in _group_starts([family_of(method) for method in methods]):
        name_row(axes, row + middle, name, colour(name))


def name_row(axes: Axes, y: float, name: str, colour: str = INK) -> None:
    """Write a name at the right of a row. In the last column of panels, the layout makes room for it."""
    place = axes.get_yaxis_transform()
    text = axes.text(1.02, y, name, transform=place, va="center", fontsize=9, weight="bold", color=colour)
    spec = axes.get_subplotspec()
    text.set_in_layout(spec is None or spec.is_last_col())


def _group_starts(groups: Sequence[str]) -> list[tuple[int, str]]:
    """Return the first row of each group, and its name."""
    return [(row, name) for row, name in enumerate(groups) if row == 0 or name != groups[row - 1]]


def error_lengths(frame: pd.DataFrame) -> NDArray[np.float64]:
    """Return the distances from the values to the ends of their intervals, 0 where there is no interval."""
    value, low, high = (frame[name].to_numpy(float) for name in ("value", "low", "high"))
    distances: NDArray[np.float64] = np.nan_to_num(np.stack([value - low, high - value]))
    return distances.clip(min=0)


def values_in_words(frame: pd.DataFrame, column: str, name: Callable[[str], str]) -> str:
    """Return the values of a frame in words."""
    pairs = zip(frame[column], frame["value"], strict=True)
    return ", ".join(f"{name(str(key))} {short_number(value)}" for key, value in pairs)


def short_number(value: float | None) -> str:
    """Return a value with two decimals."""
    return NONE if value is None or np.isnan(value) else f"{round(value, 2) + 0.0:.2f}"  # never -0.00


def count_range(counts: pd.Series) -> str:
    """Return the least and the largest count, or the count that all have."""
    low, high = int(counts.min()), int(counts.max())
    return f"{low}" if low == high else f"{low} to {high}"


def distinct_texts(column: pd.Series) -> list[str]:
    """Return the distinct texts of a column, in the order of their first appearance."""
    return [str(name) for name in dict.fromkeys(column)]
