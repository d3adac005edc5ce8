"""Samples of what the network was asked again: qualities, leads over controls, similarities to re-drawn networks."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from pipeline.spec.measure import DECIDING_FILL
from reports.audit.asked_again import ALWAYS_REDRAWN, quality_values, redrawn_rises, redrawn_values, srg_leads
from reports.audit.image_values import ImageValues
from reports.audit.qualities import Qualities, removal_score
from reports.audit.readings import Readings
from reports.audit.verdicts.quantities import ABOVE_OTHER_IMAGE, Quantity
from reports.audit.verdicts.samples import RedrawSample, Sample
from reports.result import MEASURE
from reports.statistics import Values

FLOORS = {ABOVE_OTHER_IMAGE: "other_image"}
"""Quantity of re-draws -> the reference whose similarity is subtracted."""


def is_measured(qualities: Qualities, quantity: Quantity) -> bool:
    """Return whether the run asked the network what a quantity is made from."""
    if quantity.source == "quality":
        return quantity.name in qualities.names
    return bool(qualities.fills if quantity.source == "lead" else qualities.redraws)


def sample_again(readings: Readings, quantity: Quantity, method: str, similarity: str, fill: str) -> Sample:
    """Return the values of a quantity over the images that were asked about, or over the re-draws of the weights."""
    if quantity.source == "re-draws":
        return _redraw_sample(readings, quantity, method, similarity)
    if quantity.source == "lead":
        return _sample(srg_leads(readings, method, quantity.control, fill))
    return _sample(quality_values(readings, method, quantity.name))


def values_again(readings: Readings, quantity: Quantity, method: str) -> Values:
    """Return the values that decide: one for each image of the store, NaN where it has none, or for each re-draw."""
    if quantity.source == "re-draws":
        return _redraw_sample(readings, quantity, method, MEASURE).values
    if quantity.source == "lead":
        found, name = srg_leads(readings, method, quantity.control, DECIDING_FILL), removal_score("srg", DECIDING_FILL)
    else:
        found, name = quality_values(readings, method, quantity.name), quantity.name
    values = np.full(len(readings.image_ids), np.nan)
    values[readings.qualities.is_asked(method, name)] = found.values
    return values


def _sample(values: ImageValues) -> Sample:
    return Sample(values.counted, values.excluded)


def _redraw_sample(readings: Readings, quantity: Quantity, method: str, similarity: str) -> RedrawSample:
    """Return a mean for each re-draw, over the images that have a value for all of them."""
    found = _by_redraw(readings, quantity, method, similarity)
    values = np.stack([each.values for each in found])
    is_counted = ~np.isnan(values).any(0)
    excluded: Counter[str] = Counter()
    for row in np.flatnonzero(~is_counted):
        excluded[next(each.reasons[row] for each in found if each.reasons[row])] += 1
    means = values[:, is_counted].mean(1) if is_counted.any() else np.empty(0)
    return RedrawSample(means, dict(sorted(excluded.items())), images=int(is_counted.sum()))


def _by_redraw(readings: Readings, quantity: Quantity, method: str, similarity: str) -> Sequence[ImageValues]:
    if quantity.name == ALWAYS_REDRAWN:
        return redrawn_rises(readings, method)
    floor = FLOORS.get(quantity.name, "")
    return [redrawn_values(readings, method, depth, similarity, floor) for depth in readings.qualities.redraws]
