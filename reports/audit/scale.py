"""The section on stability, read on its own scale: the similarity of a method's clean maps to other maps."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from attacks.registry import PERTURBATIONS
from reports import statistics
from reports.audit import stability, transfer_tables
from reports.audit.calibration import FLOOR
from reports.audit.estimates import estimate_frame
from reports.audit.facts import RunFacts, strongest_conditions
from reports.audit.localisation import LocalisationFields, Quality
from reports.audit.readings import DRAWS_NOTHING, Readings
from reports.audit.reliability import verdicts_of
from reports.audit.section import Fields, Pictures, Section
from reports.audit.stability import PerturbationColumn, Stability, StabilityFields, cell_under, column_of, means_of
from reports.audit.transfer_tables import Headline, TransferFields, headlines
from reports.audit.undefined_scores import UNASKED
from reports.cells import Table, estimate_cell, method_heading
from reports.formatting import Caveats, enumeration
from reports.plot_primitives import (
    Picture,
    caveat_note,
    distinct_texts,
    draw_points,
    label_methods,
    name_families,
    values_in_words,
)
from reports.result import MEASURE, Estimate, ResultModel
from reports.statistics import unit
from reports.style import GREY, INK, Look, look, svg
from srd.registry import ATTRIBUTORS

CLASS_BLIND = 0.8  # helps the reader; it is not a criterion, so the note gives the number
MARKERS = {"other_class": "o", "other_image": "s", "edges": "^", "repeat": "*"}
"""Reference -> marker."""
NOISE: Look = {"marker": "D"}
ATTACKED: Look = {"marker": "v"}
FEW = 9  # series whose names fit into three columns of the legend
FILLS = ("full", "none", "left", "right")  # one for each strength at which methods were attacked

Series = list[tuple[str, pd.DataFrame, Look]]


class ReferenceSimilarity(ResultModel):
    """Mean similarity of the clean maps of a method to other maps, the scale on which its stability is read."""

    method: str
    reference: str
    similarity: str
    estimate: Estimate


class ReferenceFields(StabilityFields):
    """Fields that this section adds to the result."""

    references: tuple[ReferenceSimilarity, ...]
    reference_meanings: dict[str, str]
    notes: dict[str, str]
    """Method -> note that a reader of its stability must know."""


class ScaleFields(LocalisationFields, TransferFields, ReferenceFields):
    """Fields of the result that this section reads."""


def _numbers(readings: Readings, _: RunFacts) -> Fields:
    return {
        "stability": stability.stabilities(readings),
        "references": _references(readings),
        "reference_meanings": {name: readings.attributes.references[name] for name in readings.references},
    }


def _references(readings: Readings) -> tuple[ReferenceSimilarity, ...]:
    """Return the mean similarity of the clean maps to the reference maps, per method, reference and similarity."""
    return tuple(
        ReferenceSimilarity(
            method=method,
            reference=reference,
            similarity=similarity,
            estimate=_reference(readings, method, reference, similarity),
        )
        for method in readings.methods
        for reference in readings.references
        for similarity in readings.similarities
    )


def _reference(readings: Readings, method: str, reference: str, similarity: str) -> Estimate:
    sample = readings.reference_similarities(method, reference, similarity)
    return statistics.mean(sample.values, unit(similarity), sample.excluded)


def table(result: ScaleFields) -> Table:
    """Return the table of stability at the largest strengths, beside the reference similarities of each method."""
    columns, references = _columns(result), list(result.reference_meanings)
    header = (*(column.heading for column in columns), *(f"clean map, {name.replace('_', ' ')}" for name in references))
    means, verdicts = means_of(result, MEASURE, "all"), verdicts_of(result)
    scales = {(each.reference, each.method): each.estimate for each in result.references if each.similarity == MEASURE}
    rows = (
        (
            method_heading(each.name, result.caveats),
            *(cell_under(column, each.name, means, verdicts) for column in columns),
            *(estimate_cell(scales[name, each.name]) for name in references),
        )
        for each in result.methods
    )
    caption = (
        "Stability on its own scale: correlation of clean and perturbed maps at the largest strength of each "
        "perturbation (any other is named in its cell), all images, beside the correlation of the clean map with other "
        "maps."
    )
    return Table(caption, ("method", *header), tuple(rows))


def _columns(result: ScaleFields) -> list[PerturbationColumn]:
    hardest, methods = strongest_conditions(result.conditions), [method.name for method in result.methods]
    names = dict.fromkeys(facts.name for facts in hardest)
    return [column_of([facts for facts in hardest if facts.name == name], methods) for name in names]


def calibrated_table(result: ScaleFields) -> Table:
    """Return the table of calibrated stabilities at the largest strengths, with the floor of each method."""
    columns, verdicts = _columns(result), verdicts_of(result)
    values = {(each.condition, each.method): each.estimate for each in result.calibrated}
    floors = {each.method: each.estimate for each in result.references
              if (each.reference, each.similarity) == (FLOOR, MEASURE)}  # fmt: skip
    rows = (
        (
            method_heading(each.name, result.caveats),
            *(cell_under(column, each.name, values, verdicts) for column in columns),
            estimate_cell(floors[each.name]),
        )
        for each in result.methods
    )
    caption = (
        "Calibrated stability, at the largest strength of each perturbation (any other is named in its cell), all "
        "images: (correlation of clean and perturbed map - floor) / (ceiling - floor). The ceiling is 1, or, of a "
        "method that draws at random, the correlation of two maps of the clean image. 1 = unmoved, 0 = as unlike as "
        "the map of another image. Intervals resample images, with all correlations of each."
    )
    return Table(caption, ("method", *(column.heading for column in columns), "floor"), tuple(rows))


def notes(result: ReferenceFields) -> dict[str, str]:
    """Return the notes that a reader of the methods' stability must know."""
    known = ((method.name, _note(result, method.name)) for method in result.methods)
    return {name: note for name, note in known if note}


def _note(result: ReferenceFields, method: str) -> str:
    if not ATTRIBUTORS[method].uses_network:
        return "Does not look at the network, so it explains nothing, however stable it is."
    other = other_class(result, method)
    if other is None or other.value is None or other.value < CLASS_BLIND:
        return ""
    return (
        f"Maps of two classes of one image correlate by {CLASS_BLIND} or more: the map depends little on the class, so "
        "that it stays the same explains little."
    )


def other_class(result: ReferenceFields, method: str) -> Estimate | None:
    """Return the similarity of the maps of two classes of one image, if it was measured."""
    wanted = (method, "other_class", MEASURE)
    rows = (row.estimate for row in result.references if (row.method, row.reference, row.similarity) == wanted)
    return next(rows, None)


def grouped_notes(result: ReferenceFields) -> list[tuple[str, str]]:
    """Return the notes with their methods. A note on several methods appears once."""
    distinct = dict.fromkeys(result.notes.values())
    return [
        (enumeration(result.title_of(name) for name, n in result.notes.items() if n == note), note) for note in distinct
    ]


def exclusion_notes(result: ScaleFields) -> Iterable[str]:
    """Return a sentence on why images were left out of means, if any were."""
    rows: tuple[Stability | Quality | ReferenceSimilarity, ...] = (
        *result.stability,
        *result.quality,
        *result.references,
    )
    reasons = sorted({why for row in rows for why in row.estimate.excluded} - {*UNASKED, DRAWS_NOTHING})
    return [f"Images left out of a mean are counted beside it. Why: {'; '.join(reasons)}."] if reasons else []


def _figures(result: ScaleFields) -> Iterator[Picture]:
    yield from stability.figures(result)
    yield from _references_picture(result)


def _references_picture(result: ScaleFields) -> Iterator[Picture]:
    """Draw a row per method: the similarity of its clean maps to other maps, and to its perturbed maps."""
    frame = estimate_frame(result.references)
    frame = frame[frame["similarity"] == MEASURE]
    if frame["value"].isna().all():
        return
    several = (
        series for number, each in enumerate(headlines(result)) for series in _perturbed_series(result, each, number)
    )
    perturbed = list({label: (label, part, style) for label, part, style in several if len(part)}.values())
    caption = "The scale of similarity, method by method: grey, the clean map against other maps"
    caption += "; coloured, against the map of the same image after perturbation." if perturbed else "."
    if any(each.verdict for each in result.verdicts):
        caption += " Attacks in doubt are left out."
    caption += caveat_note(frame["method"], result.caveats)
    parts = frame.groupby("method", sort=False)
    values = "; ".join(
        f"{result.title_of(str(name))}: {values_in_words(part, 'reference', _without_underscores)}"
        for name, part in parts
    )
    after = "".join(f" {label}: {values_in_words(part, 'method', result.title_of)}." for label, part, _ in perturbed)
    alt = f"Correlation of the clean map with other maps. {values}.{after}"
    figure = _figure(distinct_texts(frame["method"]), _reference_series(frame) + perturbed, result.caveats)
    yield Picture("references", svg(figure), caption, alt, "references")


def _figure(methods: list[str], series: Series, caveats: Caveats) -> Figure:
    figure = Figure(figsize=(10, 1.4 + 0.5 * len(methods)), layout="constrained")
    axes = figure.subplots()
    for offset, (_, part, style) in zip(np.linspace(-0.32, 0.32, len(series)), series, strict=True):
        for method in distinct_texts(part["method"]):
            own = {"color": look(method)["color"], **style}
            draw_points(axes, part[part["method"] == method], methods, "method", float(offset), own)
    label_methods(axes, methods, caveats)
    name_families(axes, methods)
    lowest = min(float(part[["value", "low"]].astype(float).min().min()) for _, part, _ in series if len(part))
    axes.set_xlim(min(-0.05, lowest - 0.03), 1.03)
    axes.set_xlabel(f"{unit(MEASURE)} (95 % interval)")
    handles = [Line2D([], [], linestyle="none", **{"color": INK, **style}) for _, _, style in series]
    columns = 3 if len(series) <= FEW else 2
    figure.legend(handles, [label for label, _, _ in series], loc="outside upper center", ncols=columns, frameon=False)
    return figure


def _reference_series(frame: pd.DataFrame) -> Series:
    return [
        (
            f"clean map, {_without_underscores(name)}",
            frame[frame["reference"] == name],
            {"color": GREY, "marker": marker},
        )
        for name, marker in MARKERS.items()
    ]


def _perturbed_series(result: ScaleFields, headline: Headline, number: int) -> Series:
    """Return two series: a random change of the same size, and the attack on each method itself."""
    table, norm = headline.table, PERTURBATIONS[headline.table.attack].norm
    fill = {"fillstyle": FILLS[number % len(FILLS)]}
    frame = transfer_tables.frame(result).rename(columns={"evaluating": "method"})
    of_table = pd.Series({name: getattr(table, name) for name in ("attack", "strength_text", "similarity", "images")})
    chosen = frame[(frame[of_table.index] == of_table).all(axis=1)]
    itself = (
        chosen["white_box"]
        & (chosen["verdict"] == "")
        & chosen["method"].isin([cell.evaluating for cell in headline.cells])
    )
    return [
        (f"after a random change of {table.strength_text} ({norm})", chosen[chosen["role"] == "control"], NOISE | fill),
        (f"after {headline.attack}, of this method", chosen[itself], ATTACKED | fill),
    ]


def _without_underscores(name: str) -> str:
    return name.replace("_", " ")


def _body(result: ScaleFields, drawn: Pictures) -> Mapping[str, object]:
    return {
        "calibrated": calibrated_table(result),
        "scale": table(result),
        "notes": grouped_notes(result),
        "references": drawn.get("references"),
        "stability": stability.exhibits(result, drawn),
        "excluded": list(exclusion_notes(result)),
    }


STABILITY = Section(
    id="stability",
    title="Stability",
    heading="Stability of the explanations",
    template="stability",
    body=_body,
    numbers=_numbers,
    sentences=lambda result: {"notes": notes(result)},
    frames=lambda result: {
        "stability": stability.frame(result),
        "references": estimate_frame(result.references),
        "calibrated": estimate_frame(result.calibrated),
    },
    figures=_figures,
    summary_tables=lambda result: (calibrated_table(result), table(result)) if result.conditions else (),
)
