"""What figures are made of: points with intervals, rows, legends, and the same in words."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from reports.style import Look, despine, look
from reports.wording import NONE, method_title

RULE = "#e3e3e3"


@dataclass(frozen=True)
class Picture:
    """A drawn figure, what it shows, and the same told in words."""

    name: str
    svg: bytes
    caption: str
    alt: str

    @property
    def file(self) -> str:
        """Where it stands, seen from the page."""
        return f"figures/{self.name}.svg"


def points(axes: Axes, frame: pd.DataFrame, rows: list[str], column: str, offset: float, style: Look) -> None:
    """Values with their intervals, each on the line of its row."""
    y = [rows.index(name) + offset for name in frame[column]]
    axes.errorbar(frame["value"], y, xerr=errors(frame), linestyle="none", markersize=5.5, elinewidth=1.3, **style)


def label_rows(axes: Axes, labels: list[str]) -> None:
    """One line per label, the first on top."""
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    for boundary in range(1, len(labels)):
        axes.axhline(boundary - 0.5, color=RULE, linewidth=0.7)
    despine(axes)


def errors(frame: pd.DataFrame) -> NDArray[np.float64]:
    """Distances from the values to the ends of their intervals; 0 where there is none."""
    value, low, high = (frame[name].to_numpy(float) for name in ("value", "low", "high"))
    distances: NDArray[np.float64] = np.nan_to_num(np.stack([value - low, high - value]))
    return distances.clip(min=0)


def legend(methods: list[str]) -> tuple[list[Line2D], list[str]]:
    """Handles and labels of methods."""
    handles = [Line2D([], [], **look(name), linewidth=0.9, markersize=5) for name in methods]
    return handles, [method_title(name) for name in methods]


def values_in_words(frame: pd.DataFrame, column: str, name: Callable[[str], str]) -> str:
    """The values of a frame in words."""
    pairs = zip(frame[column], frame["value"], strict=True)
    return ", ".join(f"{name(str(key))} {short(value)}" for key, value in pairs)


def short(value: float | None) -> str:
    """Two decimals."""
    return NONE if value is None or np.isnan(value) else f"{round(value, 2) + 0.0:.2f}"  # never -0.00


def extent(counts: pd.Series) -> str:
    """Least and largest, or the one count."""
    low, high = int(counts.min()), int(counts.max())
    return f"{low}" if low == high else f"{low} to {high}"


def unique(column: pd.Series) -> list[str]:
    """Distinct texts of a column, in their order."""
    return [str(name) for name in dict.fromkeys(column)]
