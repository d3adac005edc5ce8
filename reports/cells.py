"""Tables of text cells, which the page and the summary both print."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import Literal

from reports.families import family_of, is_control
from reports.formatting import Caveats, interval, method_title, size, value
from reports.result import Estimate

COLUMNS = 6
"""The most columns, beside the headings of the rows, that fit on a sheet of A4 in portrait."""

Mark = Literal["", "control", "unreliable", "white-box", "failed", "passed"]


@dataclass(frozen=True)
class Cell:
    """A cell of a table: its text, a detail in smaller print, and a mark that sets it apart."""

    text: str
    detail: str = ""
    mark: Mark = ""
    group: str = ""
    """Only in the first cell of a row: the heading above neighbouring rows that share it."""


@dataclass(frozen=True)
class Table:
    """A table with a caption; the first cell of a row is its heading."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def parts(self) -> tuple["Table", ...]:
        """Return the table in parts that fit on a sheet of paper: the headings of the rows and some columns each."""
        columns = len(self.header) - 1
        count = max(1, ceil(columns / COLUMNS))
        ends = [1 + columns * number // count for number in range(count + 1)]
        return tuple(
            Table(
                f"{self.caption} (Part {number} of {count}.)" if count > 1 else self.caption,
                (self.header[0], *self.header[start:end]),
                tuple((row[0], *row[start:end]) for row in self.rows),
            )
            for number, (start, end) in enumerate(pairwise(ends), 1)
        )


def estimate_cell(estimate: Estimate, mark: Mark = "", verdict: str = "", strength: str = "") -> Cell:
    """Return the cell of an estimate: its value, then interval and n.

    A strength is given where it is not that of the column. A cell with a verdict is marked as unreliable.
    """
    at = f"at {strength}" if strength else ""
    details: Iterable[str] = (interval(estimate), size(estimate), at, verdict)
    return Cell(value(estimate), "\n".join(filter(None, details)), "unreliable" if verdict else mark)


def method_heading(method: str, caveats: Caveats, detail: str = "", group: str = "") -> Cell:
    """Return the first cell of a method's row, with its caveat, by default in the group of its family.

    Controls get a mark.
    """
    details = "\n".join(filter(None, (detail, caveats.get(method))))
    return Cell(method_title(method), details, "control" if is_control(method) else "", group or family_of(method))
