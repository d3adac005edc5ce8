"""Small multiples: one panel per perturbation, one row per network and method."""

from collections.abc import Iterable, Iterator
from math import ceil
from textwrap import fill

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.comparison.result import Column, ComparisonResult, Row
from reports.formatting import method_title
from reports.marks import Picture, extent, grid, label_rows, name_row, part_groups, points, row_ends
from reports.result import MEASURE
from reports.statistics import unit
from reports.style import INK, drawing, look, svg
from srd.registry import METRICS, SRD

WIDTH = 4  # panels in a row
TITLE = 24  # letters in a line
LINE = 0.19  # inches of a method
NUMBERS = "The numbers are in the table that follows."
SET_APART = "#f3f4f6"  # ground of the panels that show no perturbation


def pictures(result: ComparisonResult) -> Iterator[Picture]:
    """Stability, and SRD minus the baselines, by correlation over all images; without any number left out."""
    with drawing():
        yield from _stability(result)
        yield from _difference(result)


def _stability(result: ComparisonResult) -> Iterator[Picture]:
    frame = _frame(result.similarities)
    if frame.empty:
        return
    caption = (
        f"{METRICS[MEASURE].title} of clean and perturbed maps, all images (95 % intervals). On grey: of clean maps "
        f"and other maps, the scale on which the rest is read. "
        f"Methods of one family share a hue.{_hollow(frame)}"
    )
    figure = _figure(frame, result, unit(MEASURE))
    least = float(frame[["value", "low"]].astype(float).min().min())
    figure.axes[0].set_xlim(min(-0.05, least - 0.05), 1.06)
    yield Picture("stability", svg(figure), caption, f"{caption} {NUMBERS}")


def _difference(result: ComparisonResult) -> Iterator[Picture]:
    frame = _frame(result.differences)
    if frame.empty:
        return
    caption = (
        f"{METRICS[MEASURE].title} of clean and perturbed maps: {SRD.title} minus each baseline, paired by image, all "
        f"images (95 % intervals). Right of the line {SRD.title} is the more stable one.{_hollow(frame)}"
    )
    figure = _figure(frame, result, f"difference of {METRICS[MEASURE].title}")
    for axes in figure.axes:
        axes.axvline(0, color=INK, linewidth=1, zorder=0)
    yield Picture("difference", svg(figure), caption, f"{caption} {NUMBERS}")


def _frame(rows: Iterable[Row]) -> pd.DataFrame:
    """The headline rows that have a value, with the fields of their estimates."""
    return pd.DataFrame(
        row.model_dump(exclude={"estimate"}) | row.estimate.model_dump()
        for row in rows
        if row.is_headline and row.estimate.value is not None
    )


def _figure(frame: pd.DataFrame, result: ComparisonResult, label: str) -> Figure:
    columns = _shown(frame, result)
    frame = frame.assign(row=pd.Series(zip(frame["network"], frame["method"], strict=True), frame.index))
    rows = list(dict.fromkeys(frame["row"]))
    width = min(WIDTH, len(columns))
    height = ceil(len(columns) / width) * (0.8 + LINE * len(rows))
    figure = Figure(figsize=(3.4 + 2.2 * width, 0.7 + height), layout="constrained")
    panels = grid(figure, width, len(columns))
    for axes, column in zip(panels, columns, strict=True):
        _panel(axes, frame[frame["column"] == column.name], rows)
        axes.set_title(fill(column.title, TITLE))
        axes.set_facecolor("white" if column.perturbation else SET_APART)
    for axes in row_ends(panels, width):
        _name_networks(axes, frame, rows)
    panels[0].locator_params(axis="x", nbins=5)
    figure.supxlabel(label, fontsize=9.5)
    return figure


def _panel(axes: Axes, frame: pd.DataFrame, rows: list[tuple[str, str]]) -> None:
    label_rows(axes, [method_title(method) for _, method in rows])
    part_groups(axes, [network for network, _ in rows])
    axes.tick_params(axis="y", labelsize=8)
    for (method, doubted), part in frame.groupby(["method", frame["doubt"] != ""]):
        points(axes, part, rows, "row", 0.0, look(str(method)) | {"fillstyle": "none" if doubted else "full"})


def _name_networks(axes: Axes, frame: pd.DataFrame, rows: list[tuple[str, str]]) -> None:
    for network, part in frame.groupby("network", sort=False):
        first = next(row for row, (name, _) in enumerate(rows) if name == network)
        name_row(axes, first, f"{network}, n = {extent(part['n'])}")


def _hollow(frame: pd.DataFrame) -> str:
    return " Hollow: an attack in doubt." * bool((frame["doubt"] != "").any())


def _shown(frame: pd.DataFrame, result: ComparisonResult) -> list[Column]:
    return [column for column in result.columns if column.name in set(frame["column"])]
