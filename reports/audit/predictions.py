"""The section on predictions: accuracy and kept predictions under each condition, accuracy against strength."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from attacks.registry import PERTURBATIONS
from pipeline.plan.conditions import CLEAN
from reports import statistics
from reports.audit.estimates import COLUMNS, fields_of, frame_of
from reports.audit.facts import RunFacts
from reports.audit.readings import NOT_COMPUTED, Readings
from reports.audit.section import Fields, Pictures, Section
from reports.cells import Cell, Table, estimate_cell
from reports.formatting import condition_in_words
from reports.page import Exhibit
from reports.plot_primitives import Picture, distinct_texts, draw_points, label_rows, short_number, values_in_words
from reports.result import Estimate, ResultModel
from reports.statistics import SHARE
from reports.style import GREY, INK, MARKERS, Look, despine, svg

RATES = {"accuracy": "accuracy", "kept": "prediction kept"}
"""Field of the result -> name in the CSV file."""
LOOKS: dict[str, Look] = {
    "accuracy": {"color": INK, "marker": "o"},
    "prediction kept": {"color": GREY, "marker": "s"},
}
LEAST = 2  # a curve needs more points than this, strength 0 included

Curve = dict[float, Estimate]
"""Strength -> accuracy; strength 0 is the clean images."""


class Accuracy(ResultModel):
    """Rates of the predictions under one condition."""

    condition: str
    accuracy: Estimate
    """Share of the images whose predicted class is the label."""
    kept: Estimate
    """Share of the images whose predicted class is that of the clean image."""


class PredictionFields(RunFacts):
    """Fields that this section adds to the result."""

    accuracy: tuple[Accuracy, ...]


def _numbers(readings: Readings, _: RunFacts) -> Fields:
    return {"accuracy": tuple(_accuracy(readings, condition) for condition in readings.conditions)}


def _accuracy(readings: Readings, condition: str) -> Accuracy:
    computed = readings.is_predicted(condition)
    comparable = computed & readings.is_predicted(CLEAN)
    right = (readings.predicted_classes(condition) == readings.label)[computed]
    return Accuracy(
        condition=condition,
        accuracy=statistics.rate(right, SHARE, _missing_images(computed)),
        kept=statistics.rate(readings.is_kept(condition)[comparable], SHARE, _missing_images(comparable)),
    )


def _missing_images(computed: NDArray[np.bool_]) -> dict[str, int]:
    missing = int((~computed).sum())
    return {NOT_COMPUTED: missing} if missing else {}


def table(result: PredictionFields) -> Table:
    """Return the table of right and of kept predictions."""
    rows = (
        (Cell(condition_in_words(each.condition)), estimate_cell(each.accuracy), estimate_cell(each.kept))
        for each in result.accuracy
    )
    caption = "Predictions: share of images with the right class, and with the class of the clean image (95 % Wilson)."
    return Table(caption, ("condition", "right class", "class of the clean image"), tuple(rows))


def _frame(result: PredictionFields) -> pd.DataFrame:
    """Return a frame with a row for each condition and rate."""
    rows = (
        {"condition": row.condition, "rate": name, **fields_of(getattr(row, field))}
        for row in result.accuracy
        for field, name in RATES.items()
    )
    return frame_of(rows, ("condition", "rate", *COLUMNS))


def _figures(result: PredictionFields) -> Iterator[Picture]:
    yield from _rates(result)
    yield from _curve(result)


def _rates(result: PredictionFields) -> Iterator[Picture]:
    shown = _frame(result)
    if shown["value"].isna().all():
        return
    shown["condition"] = shown["condition"].map(condition_in_words)
    conditions = distinct_texts(shown["condition"])
    figure = Figure(figsize=(9, 1.3 + 0.34 * len(conditions)), layout="constrained")
    axes = figure.subplots()
    for offset, (name, style) in zip((-0.14, 0.14), LOOKS.items(), strict=True):
        draw_points(axes, shown[shown["rate"] == name], conditions, "condition", offset, {**style, "label": name})
    label_rows(axes, conditions)
    axes.set(xlim=(-0.02, 1.02), xlabel="share of images (95 % Wilson interval)")
    figure.legend(loc="outside upper left", ncols=2, frameon=False)
    right = values_in_words(shown[shown["rate"] == "accuracy"], "condition", str)
    alt = f"Share of images with the right class: {right}."
    yield Picture("accuracy", svg(figure), "Accuracy and kept predictions under each perturbation.", alt, "accuracy")


def _curve(result: PredictionFields) -> Iterator[Picture]:
    """Draw accuracy against strength, with a panel for each scale, if any perturbation has several strengths."""
    panels = _panels(result)
    if not panels:
        return
    figure = Figure(figsize=(1 + 4.5 * len(panels), 3.6), layout="constrained")
    for axes, (scale, curves) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        _draw_curves(axes, curves)
        axes.set(xlabel=scale, ylabel="share with the right class", ylim=(-0.03, 1.03))
    caption = "Accuracy against the strength of each perturbation, from the clean images on (95 % Wilson intervals)."
    told = "; ".join(_curve_in_words(name, curve) for curves in panels.values() for name, curve in curves.items())
    yield Picture("accuracy-curve", svg(figure), caption, f"Share of images with the right class: {told}.", "accuracy")


def _panels(result: PredictionFields) -> dict[str, dict[str, Curve]]:
    """Return scale of the strengths -> perturbation -> curve.

    Attacks on explanations are left out: they do not aim at a wrong class.
    """
    shares = {row.condition: row.accuracy for row in result.accuracy if row.accuracy.value is not None}
    panels: dict[str, dict[str, Curve]] = {}
    for facts in result.conditions:
        if facts.strength_text and not facts.against and {facts.id, CLEAN} <= shares.keys():
            curves = panels.setdefault(PERTURBATIONS[facts.name].constraint, {})
            curve = curves.setdefault(facts.title, {0.0: shares[CLEAN]})
            curve[facts.strength] = shares[facts.id]
    long = {scale: {n: c for n, c in curves.items() if len(c) > LEAST} for scale, curves in panels.items()}
    return {scale: curves for scale, curves in long.items() if curves}


def _draw_curves(axes: Axes, curves: Mapping[str, Curve]) -> None:
    colours = sns.color_palette("colorblind", len(curves))  # type: ignore[no-untyped-call]
    for number, ((name, curve), colour) in enumerate(zip(curves.items(), colours, strict=True)):
        ordered = sorted(curve.items())
        strength, value, low, high = np.array([(s, e.value, e.low, e.high) for s, e in ordered], np.float64).T
        marker = MARKERS[number % len(MARKERS)]
        axes.plot(strength, value, color=colour, marker=marker, markersize=5, linewidth=1.2, label=name)
        axes.fill_between(strength, low, high, color=colour, alpha=0.12, linewidth=0)
    axes.set_xlim(left=0)
    axes.legend(fontsize=7.5, frameon=False)
    despine(axes)


def _curve_in_words(name: str, curve: Curve) -> str:
    return f"{name}: " + ", ".join(
        f"{strength:.3g} {short_number(each.value)}" for strength, each in sorted(curve.items())
    )


def _body(result: PredictionFields, drawn: Pictures) -> Mapping[str, object]:
    curve = [Exhibit(drawn[name]) for name in ("accuracy-curve",) if name in drawn]
    return {
        "paragraphs": (
            "An attack on the prediction wants to lower the share of right answers; an attack on an explanation has to "
            "keep the prediction.",
        ),
        "exhibits": (Exhibit(drawn.get("accuracy"), (table(result),)), *curve),
        "items": (),
    }


PREDICTIONS = Section(
    id="predictions",
    title="Predictions",
    heading="Predictions under perturbation",
    body=_body,
    numbers=_numbers,
    frames=lambda result: {"accuracy": _frame(result)},
    figures=_figures,
    summary_tables=lambda result: (table(result),),
)
