"""The section on transfer: attacked method x evaluating method, beside a random change of the same size."""

from collections.abc import Iterator, Mapping
from functools import partial
from textwrap import fill

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from reports.audit import calibration
from reports.audit.readings import Readings
from reports.audit.reliability import AttackVerdict, judge_attacks
from reports.audit.searches import searches
from reports.audit.section import Fields, Pictures, Section
from reports.audit.stability import StabilityFields
from reports.audit.transfer_tables import TransferCell, TransferFields, TransferTable, frame, headlines, transfers
from reports.cells import Cell, Table, estimate_cell, method_heading
from reports.families import family_of
from reports.formatting import Caveats, condition_in_words, images_in_words, interval, slug, title_with_caveat, value
from reports.page import Exhibit
from reports.plot_primitives import Picture, caveat_note, name_families, part_groups, short_number, short_title
from reports.style import INK, svg
from srd.registry import METRICS

LEVEL = 0.8  # width in inches of a column in which a name fits


def _numbers(readings: Readings, result: StabilityFields) -> Fields:
    conditions, methods = result.conditions, result.methods
    searched = searches(readings, conditions)
    verdicts = judge_attacks(readings, conditions, searched)
    calibrated = calibration.calibrated_stabilities(readings, conditions, methods)
    contrast = partial(calibration.difference, readings)
    return {
        "transfer": transfers(readings, result, verdicts),
        "searches": searched,
        "evidence": readings.attributes.evidence,
        "verdicts": verdicts,
        "calibrated": calibrated,
        "rankings": calibration.rankings(conditions, methods, calibrated, verdicts, contrast),
    }


def table(transfer: TransferTable, caveats: Caveats) -> Table:
    """Return a transfer table with evaluating methods as rows and attacked methods as columns."""
    kinds = (row.title if row.role == "attacked method" else f"{row.title} ({row.role})" for row in transfer.rows)
    caption = (
        f"{transfer.title} at {transfer.strength_text}: {METRICS[transfer.similarity].title} of clean and perturbed "
        f"maps, {images_in_words(transfer.images)}. Columns: what was attacked; rows: whose maps are compared."
    )
    rows = (
        (
            method_heading(cells[0].evaluating, caveats),
            *(estimate_cell(cell.similarity, "white-box" if cell.white_box else "", cell.verdict) for cell in cells),
        )
        for cells in zip(*(row.cells for row in transfer.rows), strict=True)
    )
    return Table(caption, ("evaluating method", *kinds), tuple(rows))


def searches_table(result: TransferFields) -> Table:
    """Return the table of the searches: the verdicts on the attacks, and the values of their searches."""
    verdicts = {each.condition: each for each in result.verdicts}
    attacked = {facts.id: facts.against for facts in result.conditions}
    shown = [name for name in result.evidence if result.searches and name in result.searches[0].values]
    rows = (
        (
            Cell(condition_in_words(each.condition), result.caveats.get(attacked[each.condition], "")),
            _verdict_cell(verdicts[each.condition]),
            *(Cell(value(each.values[name]), interval(each.values[name])) for name in shown),
        )
        for each in result.searches
    )
    caption = (
        "How the attacks searched: the verdict on each attack, and means over images of what it increases, with 95 % "
        "intervals: at the clean image, after parts of the search, and at changes of equal size that did not search."
    )
    return Table(caption, ("condition", "verdict", *(name.replace("_", " ") for name in shown)), tuple(rows))


def _verdict_cell(judged: AttackVerdict) -> Cell:
    failed = [f"not: {check.name}" for check in judged.checks if check.passed is False]
    if judged.verdict:
        return Cell(judged.verdict, "\n".join((judged.counts_in_words, *failed)), "unreliable")
    return Cell("reliable", judged.counts_in_words, "passed")


def _doubts(table: TransferTable, caveats: Caveats) -> Iterator[str]:
    """Say why attacks of the table are in doubt, one sentence each."""
    for row in table.rows:
        for cell in row.cells:
            if cell.verdict:
                yield f"{title_with_caveat(cell.evaluating, caveats)}: {cell.verdict}; {cell.reason}."


def _figures(result: TransferFields) -> Iterator[Picture]:
    """Draw one picture per attack, strength and similarity, over all images."""
    for table in result.transfer:
        if table.images == "all" and not np.isnan(_values(table)).all():
            yield _picture(table, result.caveats)


def _name(table: TransferTable) -> str:
    """Return the name of the picture of a transfer table."""
    return f"transfer-{slug(table.attack)}-{slug(table.strength_text)}-{slug(table.similarity)}"


def _picture(table: TransferTable, caveats: Caveats) -> Picture:
    caption = (
        f"{table.title} at {table.strength_text}: {METRICS[table.similarity].title} of clean and perturbed maps, "
        f"{images_in_words(table.images)}. "
        "Columns: what was attacked; rows: whose maps are compared."
    )
    caption += caveat_note((cell.evaluating for cell in table.rows[0].cells), caveats)
    alt = f"{caption} Attacked method on itself: {_white_box_in_words(table, caveats)}."
    return Picture(_name(table), svg(_figure(table, caveats)), caption, alt, "transfer")


def _figure(table: TransferTable, caveats: Caveats) -> Figure:
    methods, values = [cell.evaluating for cell in table.rows[0].cells], _values(table)
    width = min(1.05, 9 / len(table.rows))
    figure = Figure(figsize=(3 + width * len(table.rows), 1.2 + 0.4 * len(methods)), layout="constrained")
    axes = figure.subplots()
    sns.heatmap(  # type: ignore[no-untyped-call]
        values,
        ax=axes,
        annot=np.array([[short_number(value) for value in row] for row in values]),
        fmt="",
        cmap="cividis",
        vmin=min(0.0, float(np.nanmin(values))),
        vmax=1,
        linewidths=1.5,
        xticklabels=[fill(row.title, 12) for row in table.rows],
        yticklabels=[short_title(name, caveats) for name in methods],
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


def _mark(axes: Axes, table: TransferTable) -> None:
    """Outline the white-box cells, name the attacks in doubt, and separate attacks from controls."""
    paper = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
    for x, row in enumerate(table.rows):
        for y, cell in enumerate(row.cells):
            if cell.white_box:
                for colour, width in (("white", 4), (INK, 2)):  # visible on dark and on light cells
                    axes.add_patch(Rectangle((x + 0.04, y + 0.05), 0.92, 0.9, fill=False, ec=colour, lw=width))
            if cell.verdict:
                word = cell.verdict.removeprefix("attack ")
                axes.text(x + 0.5, y + 0.83, word, ha="center", va="center", fontsize=7, bbox=paper)
    axes.axvline(sum(row.role == "attacked method" for row in table.rows), color=INK, linewidth=2.5)


def _values(table: TransferTable) -> NDArray[np.float64]:
    """Return the similarities, evaluating method x attacked method."""
    return np.array([[cell.similarity.value for cell in row.cells] for row in table.rows], np.float64).T


def _white_box_in_words(table: TransferTable, caveats: Caveats) -> str:
    return "; ".join(_cell(cell, caveats) for row in table.rows for cell in row.cells if cell.white_box)


def _cell(cell: TransferCell, caveats: Caveats) -> str:
    verdict = f" ({cell.verdict})" if cell.verdict else ""
    title = title_with_caveat(cell.evaluating, caveats)
    return f"{title} {short_number(cell.similarity.value)}{verdict}"


def _exhibit(result: TransferFields, transfer: TransferTable, drawn: Pictures) -> Exhibit:
    """Return the picture of a table, its numbers over both sets of images, and the doubts."""
    name = _name(transfer)
    both = (other for other in result.transfer if _name(other) == name)
    tables = tuple(table(each, result.caveats) for each in both)
    return Exhibit(drawn.get(name), tables, tuple(_doubts(transfer, result.caveats)))


def _body(result: TransferFields, drawn: Pictures) -> Mapping[str, object]:
    headline = [each.table for each in headlines(result)]
    others = [transfer for transfer in result.transfer if transfer.images == "all" and transfer not in headline]
    return {
        "headlines": [_exhibit(result, transfer, drawn) for transfer in headline],
        "others": [_exhibit(result, transfer, drawn) for transfer in others],
        "searches": searches_table(result),
    }


TRANSFER = Section(
    id="transfer",
    title="Transfer",
    heading="Transfer: attacked method and evaluating method",
    template="transfer",
    body=_body,
    numbers=_numbers,
    frames=lambda result: {"transfer": frame(result)},
    figures=_figures,
    summary_tables=lambda result: [table(each.table, result.caveats) for each in headlines(result)],
)
