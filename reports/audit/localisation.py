"""The section on localisation: where the clean maps lie, and how concentrated they are."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.plan.conditions import CLEAN
from pipeline.plan.schema import REASONS, Reason
from reports import statistics
from reports.audit.estimates import difference, estimate, estimate_frame
from reports.audit.facts import RunFacts
from reports.audit.readings import NOT_COMPUTED, Readings
from reports.audit.section import Fields, Pictures, Section
from reports.cells import Table, estimate_cell, method_heading
from reports.formatting import enumeration, percent
from reports.page import Exhibit
from reports.plot_primitives import (
    Picture,
    caveat_note,
    distinct_texts,
    draw_points,
    label_methods,
    name_families,
    values_in_words,
)
from reports.result import Estimate, ResultModel, shown_metrics
from reports.statistics import unit
from reports.style import GREY, look, svg
from srd.registry import ATTRIBUTORS, METRICS

LOCALISED = "attribution_localisation"
"""The metric by which the summary compares where methods look."""


class Quality(ResultModel):
    """A metric of the clean maps of one method."""

    method: str
    metric: str
    estimate: Estimate


class LocalisationLead(ResultModel):
    """The lead of the method that localises best over another, controls left out."""

    method: str
    over: str
    difference: Estimate
    """Attribution localisation of the clean maps, paired by image."""


class LocalisationFields(RunFacts):
    """Fields that this section adds to the result."""

    quality: tuple[Quality, ...]
    """Metrics of the clean maps."""
    localisation_leads: tuple[LocalisationLead, ...]
    mask_share: Estimate | None
    """Mean share of the image that the mask covers: the score of a map without knowledge, by chance."""


def _numbers(readings: Readings, _: RunFacts) -> Fields:
    quality = _quality(readings)
    return {
        "quality": quality,
        "localisation_leads": tuple(_leads(readings, quality)),
        "mask_share": _mask_share(readings),
    }


def methods_by_localisation(quality: Iterable[Quality]) -> list[Quality]:
    """Return the attribution localisation of each method that looks at the network, the largest first."""
    found = [each for each in quality if each.metric == LOCALISED and each.estimate.value is not None]
    real = (each for each in found if ATTRIBUTORS[each.method].uses_network)
    return sorted(real, key=lambda each: each.estimate.value or 0.0, reverse=True)


def _leads(readings: Readings, quality: Iterable[Quality]) -> Iterator[LocalisationLead]:
    ranked = [each.method for each in methods_by_localisation(quality)]
    for other in ranked[1:]:
        lead = difference(readings, (CLEAN, ranked[0]), (CLEAN, other), LOCALISED, "all")
        yield LocalisationLead(method=ranked[0], over=other, difference=lead)


def _quality(readings: Readings) -> tuple[Quality, ...]:
    """Return the metrics of a clean map alone, or of it and its mask, per method."""
    return tuple(
        Quality(method=method, metric=metric, estimate=estimate(readings, CLEAN, method, metric, "all"))
        for method in readings.methods
        for metric in readings.metrics
        if METRICS[metric].of != "two maps"
    )


def _mask_share(readings: Readings) -> Estimate | None:
    """Return the mean share of an image that its mask covers, of the pixels that are not ignored.

    Empty masks, and images of whose object nothing is known, are left out. It is None without masks.
    """
    if not readings.has_masks:
        return None
    n = len(readings.image_ids)
    inside, ignored = (np.asarray(readings.dataset[name].values).reshape(n, -1) for name in ("mask", "ignored"))
    shares = inside.sum(1) / np.maximum(1, (~ignored).sum(1))
    computed, unknown = readings.is_predicted(CLEAN), ignored.all(1)
    excluded = {
        NOT_COMPUTED: int((~computed).sum()),
        REASONS[Reason.EMPTY_MASK]: int((computed & ~unknown & (shares == 0)).sum()),
        REASONS[Reason.UNKNOWN_OBJECT]: int((computed & unknown).sum()),
    }
    values = shares[computed & (shares > 0)].astype(np.float64)
    return statistics.mean(values, "share of the image, 0 to 1", {why: n for why, n in excluded.items() if n})


def table(result: LocalisationFields) -> Table:
    """Return the table of localisation and sparseness of the clean maps."""
    metrics = _measured_metrics(result)
    found = {(each.method, each.metric): each.estimate for each in result.quality}
    rows = (
        (
            method_heading(each.name, result.caveats),
            *(estimate_cell(found[each.name, metric]) for metric in metrics),
        )
        for each in result.methods
    )
    header = ("method", *(METRICS[metric].title for metric in metrics))
    return Table(f"Clean maps: {_what(result)} (95 % intervals).", header, tuple(rows))


def _measured_metrics(result: LocalisationFields) -> list[str]:
    """Return the metrics that are shown and were asked for: without masks, those that need none."""
    names = shown_metrics(each.metric for each in result.quality)
    return [name for name in names if result.identity.has_masks or METRICS[name].of != "map and mask"]


def _what(result: LocalisationFields) -> str:
    return "localisation and sparseness" if result.identity.has_masks else "sparseness"


def _figures(result: LocalisationFields) -> Iterator[Picture]:
    frame = estimate_frame(result.quality)
    frame = frame[frame["metric"].isin(shown_metrics(frame["metric"]))]
    frame = frame[frame.groupby("metric")["value"].transform("count") > 0]
    if frame.empty:
        return
    caption = f"Clean maps: {_what(result)} (95 % intervals)."
    if result.mask_share is not None:
        caption += " Dashed: mean share of the image that the mask covers."
    caption += caveat_note(frame["method"], result.caveats)
    parts = frame.groupby("metric", sort=False)
    values = "; ".join(
        f"{METRICS[str(name)].title}: {values_in_words(part, 'method', result.title_of)}" for name, part in parts
    )
    yield Picture("localisation", svg(_figure(frame, result)), caption, f"{values}.", "localisation")


def _figure(frame: pd.DataFrame, result: LocalisationFields) -> Figure:
    metrics, methods = distinct_texts(frame["metric"]), distinct_texts(frame["method"])
    figure = Figure(figsize=(2.6 + 3.0 * len(metrics), 1.1 + 0.32 * len(methods)), layout="constrained")
    panels = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
    for axes, metric in zip(panels, metrics, strict=True):
        for method in methods:
            part = frame[(frame["metric"] == metric) & (frame["method"] == method)]
            draw_points(axes, part, methods, "method", 0.0, look(method))
        label_methods(axes, methods, result.caveats)
        axes.set(xlim=(-0.04, 1.04), xlabel=unit(metric))
        axes.set_xticks((0, 0.25, 0.5, 0.75, 1), ("0", "", "0.5", "", "1"))
        _mark_chance(axes, result, metric)
    name_families(panels[-1], methods)
    return figure


def _mark_chance(axes: Axes, result: LocalisationFields, metric: str) -> None:
    share = result.mask_share.value if result.mask_share else None
    if share is not None and METRICS[metric].of == "map and mask":
        axes.axvline(share, color=GREY, linestyle="--", linewidth=1)


def metrics_of_masks() -> str:
    """Return the titles of the metrics shown that compare a map with the object's mask, in words."""
    shown = (METRICS[name] for name in shown_metrics(METRICS))
    return enumeration(entry.title.lower() for entry in shown if entry.of == "map and mask")


def chance_in_words(result: LocalisationFields) -> str:
    """Return a sentence on the localisation that is expected by chance."""
    if result.mask_share is None or result.mask_share.value is None:
        return ""
    return (
        f"The masks cover {percent(result.mask_share.value)} of the image on average (n = {result.mask_share.n}): "
        f"a map without knowledge scores about that in {metrics_of_masks()}."
    )


def _body(result: LocalisationFields, drawn: Pictures) -> Mapping[str, object]:
    return {"chance": chance_in_words(result), "localisation": Exhibit(drawn.get("localisation"), (table(result),))}


LOCALISATION = Section(
    id="localisation",
    title="Localisation",
    heading="Localisation and sparseness of the clean maps",
    template="localisation",
    body=_body,
    numbers=_numbers,
    frames=lambda result: {"localisation": estimate_frame(result.quality)},
    figures=_figures,
    summary_tables=lambda result: (table(result),),
)
