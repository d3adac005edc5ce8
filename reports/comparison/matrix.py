"""Networks and methods against columns: as a table, and as a figure with a panel for each column."""

from collections.abc import Iterable, Mapping
from math import ceil
from textwrap import fill

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.cells import Cell, Table, method_heading
from reports.comparison.result import ComparisonColumn, ComparisonResult, ComparisonRow
from reports.families import family_of
from reports.formatting import NONE, title_with_caveat
from reports.plot_primitives import (
    DAGGER,
    count_range,
    draw_points,
    grid,
    label_rows,
    name_row,
    part_groups,
    row_ends,
    short_title,
)
from reports.style import look

WIDTH = 4  # panels in a row
TITLE = 24  # letters in a line
LINE = 0.19  # height in inches of the row of a method
NUMBERS = "The numbers are in the table that follows."
SET_APART = "#f3f4f6"  # background of the panels that show no perturbation
ABSENT = Cell(NONE, "not in this run")


def table(result: ComparisonResult, caption: str, what: str, cells: Mapping[tuple[str, str, str], Cell]) -> Table:
    """Return the table of networks and methods against columns. A cell says so where an audit measured nothing."""
    columns = [column for column in result.columns if any(name == column.name for *_, name in cells)]
    rows = (
        (
            method_heading(method, result.caveats_on(network), group=f"{network}: {family_of(method)}"),
            *(cells.get((network, method, column.name), ABSENT) for column in columns),
        )
        for network, method in dict.fromkeys((network, method) for network, method, _ in cells)
    )
    return Table(caption, (what, *(column.title for column in columns)), tuple(rows))


def row_key(row: ComparisonRow) -> tuple[str, str, str]:
    """Return the key of a row's cell in a table: network, method and column."""
    return row.network, row.method, row.column


def frame(rows: Iterable[ComparisonRow]) -> pd.DataFrame:
    """Return the headline rows that have a value, with the fields of their estimates."""
    return pd.DataFrame(
        row.model_dump(exclude={"estimate"}) | row.estimate.model_dump()
        for row in rows
        if row.is_headline and row.estimate.value is not None
    )


def figure(frame: pd.DataFrame, result: ComparisonResult, label: str) -> Figure:
    """Draw a panel for each column that has a value."""
    columns = _columns_with_values(frame, result)
    frame = frame.assign(row=pd.Series(zip(frame["network"], frame["method"], strict=True), frame.index))
    rows = list(dict.fromkeys(frame["row"]))
    width = min(WIDTH, len(columns))
    height = ceil(len(columns) / width) * (0.8 + LINE * len(rows))
    drawn = Figure(figsize=(3.4 + 2.2 * width, 0.7 + height), layout="constrained")
    panels = grid(drawn, width, len(columns))
    for axes, column in zip(panels, columns, strict=True):
        _panel(axes, frame[frame["column"] == column.name], rows, result)
        axes.set_title(fill(column.title, TITLE))
        axes.set_facecolor("white" if column.perturbation else SET_APART)
    for axes in row_ends(panels, width):
        _name_networks(axes, frame, rows)
    panels[0].locator_params(axis="x", nbins=5)
    drawn.supxlabel(label, fontsize=9.5)
    return drawn


def hollow_note(frame: pd.DataFrame) -> str:
    """Return the note on hollow marks, or nothing if there are none."""
    return " Hollow: an attack in doubt." * bool((frame["doubt"] != "").any())


def caveat_notes(frame: pd.DataFrame, result: ComparisonResult) -> str:
    """Return the note below a figure on the methods with a caveat, network by network, or nothing if it shows none."""
    told = [
        f"{title_with_caveat(method, result.caveats_on(network))} on {network}"
        for network, method in dict.fromkeys(zip(frame["network"], frame["method"], strict=True))
        if method in result.caveats_on(network)
    ]
    return f" {DAGGER} {'; '.join(told)}." if told else ""


def _panel(axes: Axes, frame: pd.DataFrame, rows: list[tuple[str, str]], result: ComparisonResult) -> None:
    label_rows(axes, [short_title(method, result.caveats_on(network)) for network, method in rows])
    part_groups(axes, [network for network, _ in rows])
    axes.tick_params(axis="y", labelsize=8)
    for (method, doubted), part in frame.groupby(["method", frame["doubt"] != ""]):
        draw_points(axes, part, rows, "row", 0.0, look(str(method)) | {"fillstyle": "none" if doubted else "full"})


def _name_networks(axes: Axes, frame: pd.DataFrame, rows: list[tuple[str, str]]) -> None:
    for network, part in frame.groupby("network", sort=False):
        first = next(row for row, (name, _) in enumerate(rows) if name == network)
        name_row(axes, first, f"{network}, n = {count_range(part['n'])}")


def _columns_with_values(frame: pd.DataFrame, result: ComparisonResult) -> list[ComparisonColumn]:
    return [column for column in result.columns if column.name in set(frame["column"])]
