"""Small multiples: one panel per perturbation, networks on the axis, methods as marks with their intervals."""

from collections.abc import Iterable, Iterator
from math import ceil

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.comparison.result import Column, ComparisonResult, Row
from reports.headlines import MEASURE
from reports.marks import Picture, extent, label_rows, legend, points, unique
from reports.measurements import unit
from reports.style import INK, drawing, look, svg
from srd.registry import METRICS, SRD

WIDTH = 4  # panels in a row
LEAST_ROW = 0.45  # inches of a network: its name has two lines
SPREAD = 0.64  # of the space between two networks, shared by the methods
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
        f"and other maps, the scale on which the rest is read.{_hollow(frame)}"
    )
    figure = _figure(frame, result, unit(MEASURE))
    least = float(frame[["value", "low"]].astype(float).min().min())
    figure.axes[0].set_xlim(min(-0.05, least - 0.03), 1.03)
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
    networks, methods = unique(frame["network"]), unique(frame["method"])
    width, height = min(WIDTH, len(columns)), ceil(len(columns) / WIDTH)
    size = (1.6 + 2.8 * width, 0.7 + height * (0.75 + len(networks) * max(LEAST_ROW, 0.115 * (1 + len(methods)))))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(height, width, sharex=True, sharey=True, squeeze=False)
    for axes, column in zip(panels.flat, columns, strict=False):
        _panel(axes, frame[frame["column"] == column.name], networks, methods)
        axes.set_title(column.title)
        axes.set_facecolor("white" if column.perturbation else SET_APART)
    for axes in panels.flat[len(columns) :]:
        axes.remove()
    for axes in panels.flat[max(0, len(columns) - width) : len(columns)]:
        axes.tick_params(labelbottom=True)
    panels[0, 0].locator_params(axis="x", nbins=5)
    label_rows(panels[0, 0], [f"{name}\nn = {extent(frame[frame['network'] == name]['n'])}" for name in networks])
    figure.supxlabel(label, fontsize=9.5)
    figure.legend(*legend(methods), loc="outside upper left", ncols=len(methods), frameon=False)
    return figure


def _panel(axes: Axes, frame: pd.DataFrame, networks: list[str], methods: list[str]) -> None:
    offsets = np.linspace(-SPREAD / 2, SPREAD / 2, len(methods)) if len(methods) > 1 else np.zeros(1)
    label_rows(axes, networks)
    for offset, method in zip(offsets, methods, strict=True):
        part = frame[frame["method"] == method]
        for doubted, rows in part.groupby(part["doubt"] != ""):
            fill = {"fillstyle": "none" if doubted else "full"}
            points(axes, rows, networks, "network", float(offset), look(method) | fill)


def _hollow(frame: pd.DataFrame) -> str:
    return " Hollow: an attack in doubt." * bool((frame["doubt"] != "").any())


def _shown(frame: pd.DataFrame, result: ComparisonResult) -> list[Column]:
    return [column for column in result.columns if column.name in set(frame["column"])]
