"""A part of a section: the similarity of clean and perturbed maps, for each similarity and set of images."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from attacks.registry import PERTURBATIONS
from reports.audit.estimates import COLUMNS, estimate, estimate_frame
from reports.audit.facts import EXPLANATION, ConditionFacts
from reports.audit.readings import Readings
from reports.audit.reliability import ReliabilityFields, verdicts_of
from reports.cells import Cell, Table, estimate_cell, method_heading
from reports.formatting import NONE, Caveats, enumeration, images_in_words, slug
from reports.page import Exhibit
from reports.plot_primitives import (
    Picture,
    caveat_note,
    count_range,
    distinct_texts,
    error_lengths,
    grid,
    label_methods,
    name_families,
    row_ends,
    values_in_words,
)
from reports.result import IMAGE_SETS, Estimate, ImageSet, ResultModel, shown_metrics
from reports.statistics import unit
from reports.style import look, svg
from srd.registry import METRICS

ACROSS = 5  # panels in a row, at most
HOLLOW = 3
"""The layer of the marks of attacks in doubt: points with intervals lie on layer 2.1, whatever is drawn first."""
SPREAD = 0.6  # share of the row of a method over which its strengths are spread

ByMethod = Mapping[tuple[str, str], Estimate]
"""(condition, method) -> estimate."""


class Stability(ResultModel):
    """Mean similarity of the clean and the perturbed maps of one method."""

    condition: str
    method: str
    similarity: str
    images: ImageSet
    estimate: Estimate


class StabilityFields(ReliabilityFields):
    """Fields that this part adds to the result."""

    stability: tuple[Stability, ...]


@dataclass(frozen=True)
class PerturbationColumn:
    """A column of a table: a perturbation, at the largest strength for each method."""

    heading: str
    strength: float
    conditions: Mapping[str, ConditionFacts]
    """Method -> its condition. An attack on explanations has one for each attacked method."""


def stabilities(readings: Readings) -> tuple[Stability, ...]:
    """Return the mean similarity of clean and perturbed maps, per condition, method, similarity and set of images."""
    return tuple(
        Stability(
            condition=condition,
            method=method,
            similarity=similarity,
            images=images,
            estimate=estimate(readings, condition, method, similarity, images),
        )
        for condition in readings.perturbed_conditions
        for method in readings.methods
        for similarity in readings.similarities
        for images in IMAGE_SETS
    )


def table(result: StabilityFields, similarity: str, images: ImageSet) -> Table:
    """Return the table of methods against perturbations and strengths, for one similarity and set of images."""
    names = [method.name for method in result.methods]
    sizes = dict.fromkeys((facts.name, facts.strength) for facts in result.conditions)
    columns = [
        column_of([facts for facts in result.conditions if (facts.name, facts.strength) == size], names)
        for size in sizes
    ]
    means, verdicts = means_of(result, similarity, images), verdicts_of(result)
    rows = (
        (
            method_heading(name, result.caveats),
            *(cell_under(column, name, means, verdicts) for column in columns),
        )
        for name in names
    )
    caption = f"{METRICS[similarity].title} of clean and perturbed maps, {images_in_words(images)} (95 % intervals)."
    return Table(caption, ("method", *(column.heading for column in columns)), tuple(rows))


def column_of(conditions: Sequence[ConditionFacts], methods: Iterable[str]) -> PerturbationColumn:
    """Return the column of the conditions of one perturbation."""
    largest = max(conditions, key=lambda facts: facts.strength)
    title = largest.heading
    if largest.against:
        return PerturbationColumn(
            f"{title}, method itself", largest.strength, {facts.against: facts for facts in conditions}
        )
    return PerturbationColumn(title, largest.strength, dict.fromkeys(methods, largest))


def cell_under(
    column: PerturbationColumn, method: str, means: ByMethod, verdicts: Mapping[tuple[str, str], str]
) -> Cell:
    """Return the cell of a method in a column. It names the strength if that is not the column's."""
    facts = column.conditions.get(method)
    if facts is None:
        return Cell(NONE, "not attacked")
    strength = facts.strength_text if facts.strength != column.strength else ""
    return estimate_cell(means[facts.id, method], verdict=verdicts.get((facts.id, method), ""), strength=strength)


def means_of(result: StabilityFields, similarity: str, images: ImageSet) -> ByMethod:
    """Return the means by one similarity over one set of images."""
    chosen = (each for each in result.stability if each.similarity == similarity and each.images == images)
    return {(each.condition, each.method): each.estimate for each in chosen}


def frame(result: StabilityFields) -> pd.DataFrame:
    """Return a frame of all means, with the facts of their conditions."""
    facts = {each.id: each for each in result.conditions}
    rows = estimate_frame(result.stability, ("condition", "method", "similarity", "images", *COLUMNS))
    for name in ("name", "title", "family", "against", "strength", "strength_text"):
        rows.insert(1, name, [getattr(facts[condition], name) for condition in rows["condition"]])
    verdicts = verdicts_of(result)
    rows["verdict"] = [verdicts.get(key, "") for key in zip(rows["condition"], rows["method"], strict=True)]
    return rows


def figures(result: StabilityFields) -> Iterator[Picture]:
    """Draw one picture per similarity and set of images."""
    everything = _rows_of_own_attacks(frame(result))
    for similarity in shown_metrics(everything["similarity"]):
        for images in IMAGE_SETS:
            chosen = everything[(everything["similarity"] == similarity) & (everything["images"] == images)]
            if not chosen["value"].isna().all():
                yield _picture(result, chosen, similarity, images)


def exhibits(result: StabilityFields, drawn: Mapping[str, Picture]) -> list[Exhibit]:
    """Return the picture and the table of each similarity and set of images."""
    return [
        Exhibit(drawn.get(_name(similarity, images)), (table(result, similarity, images),))
        for similarity in shown_metrics(each.similarity for each in result.stability)
        for images in IMAGE_SETS
    ]


def _name(similarity: str, images: str) -> str:
    """Return the name of the picture of one similarity and set of images."""
    return f"stability-{slug(similarity)}-{images.replace(' ', '-')}"


def _rows_of_own_attacks(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `frame` without those where another method's explanation was attacked."""
    return frame[(frame["family"] != EXPLANATION) | (frame["against"] == frame["method"])]


def _picture(result: StabilityFields, frame: pd.DataFrame, similarity: str, images: ImageSet) -> Picture:
    caption = f"{METRICS[similarity].title} of clean and perturbed maps, {images_in_words(images)}."
    if images != "all":
        frame, left_out = _without_empty_panels(frame)
        caption += f" Left out, for no image kept its class: {enumeration(left_out)}." if left_out else ""
    if frame.groupby("name")["strength"].nunique().max() > 1:
        caption += " The marks of a method are of growing strength from top to bottom."
    if (frame["against"] != "").any():
        caption += " Under an attack on explanations each method is attacked itself (white box)."
    if (frame["verdict"] != "").any():
        caption += " Hollow: the attack is in doubt."
    caption += caveat_note(frame["method"], result.caveats)
    name, alt = _name(similarity, images), f"{caption} {_strongest_in_words(result, frame)}."
    return Picture(name, svg(_figure(frame, similarity, result.caveats)), caption, alt, data="stability")


def _without_empty_panels(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows of the perturbations under which some image counts, and the titles of the others."""
    counted = frame.groupby("name")["n"].transform("max") > 0
    return frame[counted], distinct_texts(frame["title"][~counted])


def _figure(frame: pd.DataFrame, similarity: str, caveats: Caveats) -> Figure:
    names, methods = distinct_texts(frame["name"]), distinct_texts(frame["method"])
    height = ceil(len(names) / ACROSS)
    width = ceil(len(names) / height)
    strengths = frame.groupby("name")["strength_text"].nunique().max()
    size = (2.8 + 1.85 * width, height * (0.8 + 0.15 * strengths + (0.2 + 0.09 * strengths) * len(methods)))
    figure = Figure(figsize=size, layout="constrained")
    panels = grid(figure, width, len(names))
    for axes, name in zip(panels, names, strict=True):
        _panel(axes, frame[frame["name"] == name].sort_values("strength", kind="stable"), methods, caveats)
    for axes in row_ends(panels, width):
        name_families(axes, methods)
    lowest = float(np.nanmin([0.0, frame["value"].min(), frame["low"].astype(float).min()]))
    panels[0].set_xlim(lowest - 0.05, 1.05)
    panels[0].locator_params(axis="x", nbins=4)
    panels[0].xaxis.set_major_formatter("{x:g}")
    figure.supxlabel(f"{unit(similarity)} (95 % interval)", fontsize=9.5)
    return figure


def _panel(axes: Axes, frame: pd.DataFrame, methods: list[str], caveats: Caveats) -> None:
    strengths = distinct_texts(frame["strength_text"])
    offsets = dict(zip(strengths, _spread(len(strengths)), strict=True))
    for row, method in enumerate(methods):
        part = frame[frame["method"] == method]
        y = row + part["strength_text"].map(offsets).to_numpy(float)
        style = look(method)
        axes.errorbar(part["value"], y, xerr=error_lengths(part), **style, markersize=5, linewidth=0.9, elinewidth=1.3)
        doubted = (part["verdict"] != "").to_numpy()
        axes.plot(
            part["value"][doubted],
            y[doubted],
            **style,
            linestyle="none",
            markersize=5,
            markerfacecolor="white",
            zorder=HOLLOW,
        )
    label_methods(axes, methods, caveats)
    axes.set_title("\n".join(_heading(frame)), fontsize=9)


def _heading(frame: pd.DataFrame) -> Iterator[str]:
    first = frame.iloc[0]
    entry = PERTURBATIONS[str(first["name"])]
    yield first["title"] + "," * bool(first["against"])
    if first["against"]:
        yield "method itself"
    yield entry.constraint
    for text, part in frame.groupby("strength_text", sort=False):
        yield f"{text}: n = {count_range(part['n'])}"


def _spread(count: int) -> NDArray[np.float64]:
    """Return the offsets of the strengths within the row of a method, the least on top."""
    return np.linspace(-SPREAD / 2, SPREAD / 2, count) if count > 1 else np.zeros(1)


def _strongest_in_words(result: StabilityFields, frame: pd.DataFrame) -> str:
    """Return the values of each method at the largest strength of each perturbation, in words."""
    strongest = frame[frame["strength"] == frame.groupby(["name", "method"])["strength"].transform("max")]
    return "; ".join(
        f"{part['title'].iloc[0]} at {part['strength_text'].iloc[0]}: "
        f"{values_in_words(part, 'method', result.title_of)}"
        for _, part in strongest.groupby(["name", "strength"], sort=False)
    )
