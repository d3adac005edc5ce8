"""Transfer tables as heat maps: a row per evaluating method, a column per attack."""

from collections.abc import Iterator
from textwrap import fill

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from reports.families import family_of
from reports.gallery import slug
from reports.marks import Picture, name_families, part_groups, short
from reports.result import AuditResult, Cell, Transfer
from reports.style import INK, svg
from reports.wording import images_in_words, method_title
from srd.registry import METRICS

LEVEL = 0.8  # inches of a column that is wide enough for a name


def transfer_name(table: Transfer) -> str:
    """Of the picture of a transfer table."""
    return f"transfer-{slug(table.attack)}-{slug(table.strength_text)}-{slug(table.similarity)}"


def transfer(result: AuditResult) -> Iterator[Picture]:
    """One picture per attack, strength and similarity, over all images."""
    for table in result.transfer:
        if table.images == "all" and not np.isnan(_values(table)).all():
            yield _picture(table)


def _picture(table: Transfer) -> Picture:
    caption = (
        f"{table.title} at {table.strength_text}: {METRICS[table.similarity].title} of clean and perturbed maps, "
        f"{images_in_words(table.images)}. "
        "Columns: what was attacked; rows: whose maps are compared."
    )
    alt = f"{caption} Attacked method on itself: {_white_box_in_words(table)}."
    return Picture(transfer_name(table), svg(_figure(table)), caption, alt)


def _figure(table: Transfer) -> Figure:
    methods, values = [cell.evaluating for cell in table.rows[0].cells], _values(table)
    width = min(1.05, 9 / len(table.rows))
    figure = Figure(figsize=(3 + width * len(table.rows), 1.2 + 0.4 * len(methods)), layout="constrained")
    axes = figure.subplots()
    sns.heatmap(  # type: ignore[no-untyped-call]
        values,
        ax=axes,
        annot=np.array([[short(value) for value in row] for row in values]),
        fmt="",
        cmap="cividis",
        vmin=min(0.0, float(np.nanmin(values))),
        vmax=1,
        linewidths=1.5,
        xticklabels=[fill(row.title, 12) for row in table.rows],
        yticklabels=[method_title(name) for name in methods],
        cbar=False,
    )
    _mark(axes, table)
    part_groups(axes, [family_of(name) for name in methods], middle=0.5)
    name_families(axes, methods, middle=0.5)
    axes.set(xlabel="attacked", ylabel="evaluating method")
    axes.xaxis.set_label_position("top")
    axes.xaxis.tick_top()
    axes.tick_params(axis="both", rotation=0, length=0)
    if width < LEVEL:
        axes.tick_params(axis="x", rotation=90)
    return figure


def _mark(axes: Axes, table: Transfer) -> None:
    """Outlines the white-box cells, names the attacks in doubt, and parts attacks from controls."""
    paper = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
    for x, row in enumerate(table.rows):
        for y, cell in enumerate(row.cells):
            if cell.white_box:
                for colour, width in (("white", 4), (INK, 2)):  # seen on dark cells and on light ones
                    axes.add_patch(Rectangle((x + 0.04, y + 0.05), 0.92, 0.9, fill=False, ec=colour, lw=width))
            if cell.verdict:
                word = cell.verdict.removeprefix("attack ")
                axes.text(x + 0.5, y + 0.83, word, ha="center", va="center", fontsize=7, bbox=paper)
    axes.axvline(sum(row.role == "attacked method" for row in table.rows), color=INK, linewidth=2.5)


def _values(table: Transfer) -> NDArray[np.float64]:
    """Evaluating method x attacked."""
    return np.array([[cell.similarity.value for cell in row.cells] for row in table.rows], np.float64).T


def _white_box_in_words(table: Transfer) -> str:
    return "; ".join(_cell(cell) for row in table.rows for cell in row.cells if cell.white_box)


def _cell(cell: Cell) -> str:
    verdict = f" ({cell.verdict})" if cell.verdict else ""
    return f"{method_title(cell.evaluating)} {short(cell.similarity.value)}{verdict}"
