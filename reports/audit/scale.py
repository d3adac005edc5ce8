"""Section: the stability of the explanations, on its own scale: how alike a method's clean maps are to other maps."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from attacks.registry import PERTURBATIONS
from reports import statistics
from reports.audit import stability, verdicts
from reports.audit.estimates import flat
from reports.audit.facts import Facts, strongest
from reports.audit.localisation import Located, Quality
from reports.audit.readings import Readings
from reports.audit.section import Fields, Pictures, Section
from reports.audit.stability import Column, Stabilities, Stability, column_of, means_of, under
from reports.audit.verdicts import Headline, Transfers, headlines, judged
from reports.cells import Table, measured, method_heading
from reports.formatting import listed, method_title
from reports.marks import Picture, label_methods, name_families, points, unique, values_in_words
from reports.result import MEASURE, Estimate, Part
from reports.statistics import unit
from reports.style import GREY, INK, Look, look, svg
from srd.registry import ATTRIBUTORS

CLASS_BLIND = 0.8  # a reading aid, not a pass mark: the note names the number, readers judge
MARKERS = {"other_class": "o", "other_image": "s", "edges": "^"}
"""Of the references."""
NOISE: Look = {"marker": "D"}
ATTACKED: Look = {"marker": "v"}
FEW = 9  # names that fit beside each other in three columns
FILLS = ("full", "none", "left", "right")  # one a strength, where methods were attacked at several

Series = list[tuple[str, pd.DataFrame, Look]]


class Reference(Part):
    """Mean similarity of the clean maps of a method to other maps: the scale on which its stability is read."""

    method: str
    reference: str
    similarity: str
    estimate: Estimate


class References(Stabilities):
    """What this section adds to the result."""

    references: tuple[Reference, ...]
    reference_meanings: dict[str, str]
    notes: dict[str, str]
    """Method -> what to know before its stability is read."""


class Scale(Located, Transfers, References):
    """What this section reads of the result."""


def _numbers(readings: Readings, _: Facts) -> Fields:
    return {
        "stability": stability.stabilities(readings),
        "references": _references(readings),
        "reference_meanings": readings.attributes.references,
    }


def _references(readings: Readings) -> tuple[Reference, ...]:
    """Return the mean similarity of the clean maps to the reference maps, per method, reference and similarity."""
    return tuple(
        Reference(
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
    sample = readings.reference(method, reference, similarity)
    return statistics.mean(sample.values, unit(similarity), sample.excluded)


def table(result: Scale) -> Table:
    """Return stability at the largest strength of each perturbation, beside the method's reference similarities."""
    columns, references = _columns(result), list(result.reference_meanings)
    header = (*(column.heading for column in columns), *(f"clean map, {name.replace('_', ' ')}" for name in references))
    means, verdicts = means_of(result, MEASURE, "all"), _verdicts(result)
    scales = {(each.reference, each.method): each.estimate for each in result.references if each.similarity == MEASURE}
    rows = (
        (
            method_heading(each.name),
            *(under(column, each.name, means, verdicts) for column in columns),
            *(measured(scales[name, each.name]) for name in references),
        )
        for each in result.methods
    )
    caption = (
        "Stability on its own scale: correlation of clean and perturbed maps at the largest strength of each "
        "perturbation (any other is named in its cell), all images, beside the correlation of the clean map with other "
        "maps."
    )
    return Table(caption, ("method", *header), tuple(rows))


def _columns(result: Scale) -> list[Column]:
    hardest, methods = strongest(result.conditions), [method.name for method in result.methods]
    names = dict.fromkeys(facts.name for facts in hardest)
    return [column_of([facts for facts in hardest if facts.name == name], methods) for name in names]


def _verdicts(result: Transfers) -> dict[tuple[str, str], str]:
    """Return the verdicts on attacks on explanations, by entry and method, as the correlation of all images judges."""
    rows = (row for table in judged(result) for row in table.rows)
    return {(row.condition, cell.evaluating): cell.verdict for row in rows for cell in row.cells}


def notes(result: References) -> dict[str, str]:
    """Return what to know of a method before its stability is read."""
    known = ((method.name, _note(result, method.name)) for method in result.methods)
    return {name: note for name, note in known if note}


def _note(result: References, method: str) -> str:
    if not ATTRIBUTORS[method].uses_network:
        return "Control: does not look at the network, so it explains nothing, however stable it is."
    other = other_class(result, method)
    if other is None or other.value is None or other.value < CLASS_BLIND:
        return ""
    return (
        f"Maps of two classes of one image correlate by {CLASS_BLIND} or more: the map depends little on the class, so "
        "that it stays the same explains little."
    )


def other_class(result: References, method: str) -> Estimate | None:
    """Return how alike the maps of two classes of one image are, if it was measured."""
    wanted = (method, "other_class", MEASURE)
    rows = (row.estimate for row in result.references if (row.method, row.reference, row.similarity) == wanted)
    return next(rows, None)


def grouped_notes(result: References) -> list[tuple[str, str]]:
    """Return the notes on methods, those of several methods once."""
    distinct = dict.fromkeys(result.notes.values())
    return [(listed(method_title(name) for name, n in result.notes.items() if n == note), note) for note in distinct]


def excluded(result: Scale) -> Iterable[str]:
    """Say what was left out of any mean, by reason."""
    rows: tuple[Stability | Quality | Reference, ...] = (*result.stability, *result.quality, *result.references)
    reasons = sorted({why for row in rows for why in row.estimate.excluded})
    return [f"Images left out of a mean are counted beside it. Why: {'; '.join(reasons)}."] if reasons else []


def _figures(result: Scale) -> Iterator[Picture]:
    yield from stability.figures(result)
    yield from _references_picture(result)


def _references_picture(result: Scale) -> Iterator[Picture]:
    """Draw on one line per method what its maps share with other maps, and what they keep under perturbation."""
    frame = flat(result.references)
    frame = frame[frame["similarity"] == MEASURE]
    if frame["value"].isna().all():
        return
    several = (series for number, each in enumerate(headlines(result)) for series in _perturbed(result, each, number))
    perturbed = list({label: (label, part, style) for label, part, style in several if len(part)}.values())
    caption = "The scale of similarity, method by method: grey, the clean map against other maps"
    caption += "; coloured, against the map of the same image after perturbation." if perturbed else "."
    parts = frame.groupby("method", sort=False)
    values = "; ".join(
        f"{method_title(str(name))}: {values_in_words(part, 'reference', _plain)}" for name, part in parts
    )
    after = "".join(f" {label}: {values_in_words(part, 'method', method_title)}." for label, part, _ in perturbed)
    alt = f"Correlation of the clean map with other maps. {values}.{after}"
    figure = _figure(unique(frame["method"]), _reference_series(frame) + perturbed)
    yield Picture("references", svg(figure), caption, alt)


def _figure(methods: list[str], series: Series) -> Figure:
    figure = Figure(figsize=(10, 1.4 + 0.5 * len(methods)), layout="constrained")
    axes = figure.subplots()
    for offset, (_, part, style) in zip(np.linspace(-0.32, 0.32, len(series)), series, strict=True):
        for method in unique(part["method"]):
            own = {"color": look(method)["color"], **style}
            points(axes, part[part["method"] == method], methods, "method", float(offset), own)
    label_methods(axes, methods)
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
        (f"clean map, {_plain(name)}", frame[frame["reference"] == name], {"color": GREY, "marker": marker})
        for name, marker in MARKERS.items()
    ]


def _perturbed(result: Scale, headline: Headline, number: int) -> Series:
    """Return a random change of the same size, and the attack on each method itself."""
    table, norm = headline.table, PERTURBATIONS[headline.table.attack].norm
    fill = {"fillstyle": FILLS[number % len(FILLS)]}
    frame = verdicts.frame(result).rename(columns={"evaluating": "method"})
    of_table = pd.Series({name: getattr(table, name) for name in ("attack", "strength_text", "similarity", "images")})
    chosen = frame[(frame[of_table.index] == of_table).all(axis=1)]
    itself = chosen["white_box"] & chosen["method"].isin([cell.evaluating for cell in headline.cells])
    return [
        (f"after a random change of {table.strength_text} ({norm})", chosen[chosen["role"] == "control"], NOISE | fill),
        (f"after {headline.attack}, of this method", chosen[itself], ATTACKED | fill),
    ]


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _body(result: Scale, drawn: Pictures) -> Mapping[str, object]:
    return {
        "scale": table(result),
        "notes": grouped_notes(result),
        "references": drawn.get("references"),
        "stability": stability.exhibits(result, drawn),
        "excluded": list(excluded(result)),
    }


STABILITY = Section(
    id="stability",
    title="Stability",
    heading="Stability of the explanations",
    template="stability",
    body=_body,
    numbers=_numbers,
    sentences=lambda result: {"notes": notes(result)},
    frames=lambda result: {"stability": stability.frame(result), "references": flat(result.references)},
    figures=_figures,
    headlines=lambda result: (table(result),),
)
