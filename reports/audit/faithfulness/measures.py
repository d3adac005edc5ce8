"""The numbers of the section on faithfulness, made from removal curves and qualities of the store."""

from collections.abc import Iterator
from typing import get_args

import numpy as np

from pipeline.plan.axes import CONTROLS
from reports import statistics
from reports.audit.asked_again import REMOVAL_SCORES, control_leads, control_values, quality_values, srg_leads
from reports.audit.faithfulness.fields import ControlScore, CurvePoint, Order, RemovalCurve, RemovalLead
from reports.audit.image_values import ImageValues
from reports.audit.localisation import Quality
from reports.audit.qualities import removal_score
from reports.audit.readings import Readings
from reports.result import Estimate
from reports.statistics import NoInterval, Values, bootstrap_interval, unit
from srd.registry import METRICS

SHOWN_FILLS = ("blur", "black")
"""The fills that the page shows; the others serve the verdicts' other settings."""
LEAD_UNIT = "difference of SRG, -2 to 2"


def count_images(readings: Readings) -> int:
    """Return the number of images whose pixels were removed for any method."""
    if "srg" not in readings.qualities.names or not readings.qualities.fills:
        return 0
    asked = [readings.qualities.is_asked(method, "srg") for method in readings.methods]
    return int(np.any(asked, axis=0).sum())


def removal_curves(readings: Readings) -> Iterator[RemovalCurve]:
    """Yield the mean removal curves of all controls and methods, for the fills that are shown."""
    for fill in shown_fills(readings):
        for control in CONTROLS:
            yield from _mean_curves(readings, control, fill, True)
        for method in readings.methods:
            yield from _mean_curves(readings, method, fill, False)


def shown_fills(readings: Readings) -> list[str]:
    """Return the fills that are shown, of those that the run has."""
    return [fill for fill in SHOWN_FILLS if fill in readings.qualities.fills]


def faithfulness(readings: Readings) -> tuple[Quality, ...]:
    """Return the mean of each quality of the category, by method; none where nothing was asked."""
    return qualities_of(readings, "faithfulness") if readings.qualities.fills else ()


def qualities_of(readings: Readings, category: str) -> tuple[Quality, ...]:
    """Return the mean of each quality of a category, by method."""
    names = [name for name in readings.qualities.names if METRICS[name].category == category]
    return tuple(
        Quality(method=method, metric=name, estimate=quality_values(readings, method, name).mean(unit(name)))
        for method in readings.methods
        for name in names
    )


def control_scores(readings: Readings) -> Iterator[ControlScore]:
    """Yield the scores of the orders that never saw the network, for the fills that are shown."""
    for fill in shown_fills(readings):
        for score in REMOVAL_SCORES:
            for control in CONTROLS:
                name = removal_score(score, fill)
                values = control_values(readings, control, score, fill)
                yield ControlScore(control=control, metric=name, estimate=values.mean(unit(name)))


def removal_leads(readings: Readings) -> Iterator[RemovalLead]:
    """Yield the leads of all methods, and of edges over random order, with the fills that are shown."""
    for fill in shown_fills(readings):
        for over in CONTROLS:
            for method in readings.methods:
                yield _lead(method, False, over, fill, srg_leads(readings, method, over, fill))
        first, second = CONTROLS
        yield _lead(second, True, first, fill, control_leads(readings, second, first, fill))


def _lead(method: str, is_control: bool, over: str, fill: str, leads: ImageValues) -> RemovalLead:
    difference = statistics.mean_by_t(leads.counted, LEAD_UNIT, leads.excluded)
    return RemovalLead(method=method, is_control=is_control, over=over, fill=fill, difference=difference)


def _mean_curves(readings: Readings, name: str, fill: str, is_control: bool) -> Iterator[RemovalCurve]:
    read = readings.qualities.control_curves if is_control else readings.qualities.curves
    curves, fractions = read(name, fill), readings.qualities.fractions
    known = curves[~np.isnan(curves).any((1, 2))]
    for number, order in enumerate(get_args(Order)):
        points = (_point(float(share), column) for share, column in zip(fractions, known[:, number].T, strict=True))
        yield RemovalCurve(
            method=name,
            is_control=is_control,
            fill=fill,
            order=order,
            n=len(known),
            points=tuple(points) if len(known) else (),
        )


def _point(share: float, values: Values) -> CurvePoint:
    try:
        low, high = bootstrap_interval(values)
    except NoInterval:
        return CurvePoint(removed=share, mean=float(values.mean()), low=None, high=None)
    return CurvePoint(removed=share, mean=float(values.mean()), low=low, high=high)


def left_out(estimates: list[Estimate]) -> dict[str, list[int]]:
    """Return, for each reason, the numbers of images that estimates leave out, where they leave out any."""
    counts: dict[str, list[int]] = {}
    for each in estimates:
        for reason, count in each.excluded.items():
            counts.setdefault(reason, []).append(count)
    return counts
