"""Figures drawn from the result's frames, each with a text that tells its numbers."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from attacks.registry import PERTURBATIONS
from reports import frames
from reports.curves import accuracy_curve
from reports.headlines import MEASURE, Headline, headlines
from reports.heat import transfer
from reports.marks import Picture, label_methods, label_rows, name_families, points, unique, values_in_words
from reports.measurements import unit
from reports.panels import stability
from reports.result import AuditResult
from reports.style import GREY, INK, Look, drawing, look, svg
from reports.wording import method_title
from srd.registry import METRICS

RATES: dict[str, Look] = {
    "accuracy": {"color": INK, "marker": "o"},
    "prediction kept": {"color": GREY, "marker": "s"},
}
REFERENCE_MARKERS = {"other_class": "o", "other_image": "s", "edges": "^"}
NOISE: Look = {"marker": "D"}
ATTACKED: Look = {"marker": "v"}
FEW = 9  # names that fit beside each other in three columns
FILLS = ("full", "none", "left", "right")  # one a strength, where methods were attacked at several

Series = list[tuple[str, pd.DataFrame, Look]]


def pictures(result: AuditResult) -> Iterator[Picture]:
    """All figures of the report; those without any number are left out."""
    with drawing():
        yield from _accuracy(result)
        yield from accuracy_curve(result)
        yield from stability(result)
        yield from _references(result)
        yield from transfer(result)
        yield from _quality(result)


def _accuracy(result: AuditResult) -> Iterator[Picture]:
    frame = frames.accuracy(result)
    if frame["value"].isna().all():
        return
    conditions = unique(frame["condition"])
    figure = Figure(figsize=(9, 1.3 + 0.34 * len(conditions)), layout="constrained")
    axes = figure.subplots()
    for offset, (name, style) in zip((-0.14, 0.14), RATES.items(), strict=True):
        points(axes, frame[frame["rate"] == name], conditions, "condition", offset, {**style, "label": name})
    label_rows(axes, conditions)
    axes.set(xlim=(-0.02, 1.02), xlabel="share of images (95 % Wilson interval)")
    figure.legend(loc="outside upper left", ncols=2, frameon=False)
    right = values_in_words(frame[frame["rate"] == "accuracy"], "condition", str)
    alt = f"Share of images with the right class: {right}."
    yield Picture("accuracy", svg(figure), "Accuracy and kept predictions under each perturbation.", alt)


def _references(result: AuditResult) -> Iterator[Picture]:
    """On one line per method: what its maps share with other maps, and what they keep under perturbation."""
    frame = frames.frames(result)["references"]
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
    figure = _scale(unique(frame["method"]), _reference_series(frame) + perturbed)
    yield Picture("references", svg(figure), caption, alt)


def _scale(methods: list[str], series: Series) -> Figure:
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
        for name, marker in REFERENCE_MARKERS.items()
    ]


def _perturbed(result: AuditResult, headline: Headline, number: int) -> Series:
    """A random change of the same size, and the attack on each method itself."""
    table, norm = headline.table, PERTURBATIONS[headline.table.attack].norm
    fill = {"fillstyle": FILLS[number % len(FILLS)]}
    frame = frames.transfer(result).rename(columns={"evaluating": "method"})
    of_table = pd.Series({name: getattr(table, name) for name in ("attack", "strength_text", "similarity", "images")})
    chosen = frame[(frame[of_table.index] == of_table).all(axis=1)]
    itself = chosen["white_box"] & chosen["method"].isin([cell.evaluating for cell in headline.cells])
    return [
        (f"after a random change of {table.strength_text} ({norm})", chosen[chosen["role"] == "control"], NOISE | fill),
        (f"after {headline.attack}, of this method", chosen[itself], ATTACKED | fill),
    ]


def _quality(result: AuditResult) -> Iterator[Picture]:
    frame = frames.frames(result)["localisation"]
    frame = frame[frame.groupby("metric")["value"].transform("count") > 0]
    if frame.empty:
        return
    caption = "Clean maps against the object masks, and how concentrated they are (95 % intervals)."
    if result.mask_share is not None:
        caption += " Dashed: mean share of the image that the mask covers."
    parts = frame.groupby("metric", sort=False)
    values = "; ".join(
        f"{METRICS[str(name)].title}: {values_in_words(part, 'method', method_title)}" for name, part in parts
    )
    yield Picture("localisation", svg(_quality_figure(frame, result)), caption, f"{values}.")


def _quality_figure(frame: pd.DataFrame, result: AuditResult) -> Figure:
    metrics, methods = unique(frame["metric"]), unique(frame["method"])
    figure = Figure(figsize=(2.6 + 3.0 * len(metrics), 1.1 + 0.32 * len(methods)), layout="constrained")
    panels = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
    for axes, metric in zip(panels, metrics, strict=True):
        for method in methods:
            part = frame[(frame["metric"] == metric) & (frame["method"] == method)]
            points(axes, part, methods, "method", 0.0, look(method))
        label_methods(axes, methods)
        axes.set(xlim=(-0.04, 1.04), xlabel=unit(metric))
        axes.set_xticks((0, 0.25, 0.5, 0.75, 1), ("0", "", "0.5", "", "1"))
        _chance(axes, result, metric)
    name_families(panels[-1], methods)
    return figure


def _chance(axes: Axes, result: AuditResult, metric: str) -> None:
    share = result.mask_share.value if result.mask_share else None
    if share is not None and METRICS[metric].of == "map and mask":
        axes.axvline(share, color=GREY, linestyle="--", linewidth=1)


def _plain(name: str) -> str:
    return name.replace("_", " ")
