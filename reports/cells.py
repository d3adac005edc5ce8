"""What tables are made of: text cells that the page and the summary both print."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from reports.families import family_of, is_control
from reports.formatting import interval, method_title, size, value
from reports.result import Estimate

Mark = Literal["", "control", "unreliable", "white-box", "failed", "passed"]


@dataclass(frozen=True)
class Cell:
    """One entry: what is read first, what is read second, and what sets it apart."""

    text: str
    detail: str = ""
    mark: Mark = ""
    group: str = ""
    """Of the first cell of a row: a heading above the neighbours that share it."""


@dataclass(frozen=True)
class Table:
    """A table with a caption; the first cell of a row is its heading."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def measured(estimate: Estimate, mark: Mark = "", verdict: str = "", strength: str = "") -> Cell:
    """Return a value with interval and n; the strength if it is not that of the column; a verdict takes the mark."""
    at = f"at {strength}" if strength else ""
    details: Iterable[str] = (interval(estimate), size(estimate), at, verdict)
    return Cell(value(estimate), "\n".join(filter(None, details)), "unreliable" if verdict else mark)


def method_heading(method: str, detail: str = "", group: str = "") -> Cell:
    """Return the first cell of a method's row, by default in the group of its family; controls are set apart."""
    return Cell(method_title(method), detail, "control" if is_control(method) else "", group or family_of(method))
