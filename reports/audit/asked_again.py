"""One number for each image that the network was asked again about: qualities, and leads over removal controls."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import entropy

from pipeline.plan.axes import WEIGHTS
from pipeline.plan.conditions import CLEAN
from pipeline.plan.schema import Reason
from reports.audit.image_values import ImageValues
from reports.audit.outcomes import TIE
from reports.audit.qualities import deletion, insertion, removal_score, srg
from reports.audit.readings import Readings
from reports.statistics import Values

Images = NDArray[np.bool_]
ALWAYS_REDRAWN = "complexity_rise"
"""The quality that is asked of the images of which maps of re-drawn networks are made."""
BINS = 100
"""The bins of the values of a map, as in the metric."""
READ = 32
"""The images whose maps are read at once."""
REMOVAL_SCORES = {"deletion": deletion, "insertion": insertion, "srg": srg}
"""The scores of removal curves by name, as of blur."""


def quality_values(readings: Readings, method: str, quality: str) -> ImageValues:
    """Return a quality of the clean maps, of the images that were asked about."""
    return _asked_values(readings, method, quality, readings.qualities.values(method, quality))


def srg_leads(readings: Readings, method: str, control: str, fill: str) -> ImageValues:
    """Return the SRG of the clean maps less that of a control, of the images that were asked about.

    Differences up to `TIE` are rounding, so that a control differs from itself by 0.
    """
    quality = removal_score("srg", fill)
    leads = readings.qualities.values(method, quality) - srg(readings.qualities.control_curves(control, fill))
    return _asked_values(readings, method, quality, np.where(np.abs(leads) <= TIE, 0.0, leads))


def control_values(readings: Readings, control: str, score: str, fill: str) -> ImageValues:
    """Return a score of the removal curves of a control, of the images that were asked about."""
    curves = readings.qualities.control_curves(control, fill)
    values, constant = REMOVAL_SCORES[score](curves), np.ptp(curves, axis=(1, 2)) == 0
    uninformative = readings.qualities.is_uninformative(fill)
    codes = np.where(uninformative, Reason.UNINFORMATIVE_FILL, np.where(constant, Reason.NO_ANSWER_CHANGE, 0))
    values = np.where(codes > 0, np.nan, values)
    asked = np.asarray(~np.isnan(curves).all((1, 2)))
    return ImageValues(values, _reasons(readings, values, codes)).among(asked)


def control_leads(readings: Readings, control: str, over: str, fill: str) -> ImageValues:
    """Return the SRG of a control less that of another, of the images that were asked about."""
    first, second = (control_values(readings, name, "srg", fill) for name in (control, over))
    reasons = tuple(one or other for one, other in zip(first.reasons, second.reasons, strict=True))
    return ImageValues(first.values - second.values, reasons)


def redrawn_values(readings: Readings, method: str, depth: str, similarity: str, floor: str = "") -> ImageValues:
    """Return the similarity of the clean maps to those of a re-drawn network, of the images that were asked about.

    Parameters
    ----------
    floor
        The reference whose similarity is subtracted, image by image; empty for none.
    """
    values = readings.reference_scores(method, WEIGHTS + depth, similarity)
    if floor:
        values = values - readings.reference_scores(method, floor, similarity)
    return floored_values(readings, method, similarity, floor, values)


def floored_values(readings: Readings, method: str, similarity: str, floor: str, values: Values) -> ImageValues:
    """Return similarities of the images that were asked about, with the reason where one is NaN."""
    codes = readings.reasons(CLEAN, method, similarity)
    reasons = list(_reasons(readings, values, codes))
    if floor:
        own, other = readings.scores(CLEAN, method, similarity), readings.reference_scores(method, floor, similarity)
        for row in np.flatnonzero(~np.isnan(own) & np.isnan(other)).tolist():
            reasons[row] = readings.comparison_failure(row, method, floor)
    return ImageValues(values, tuple(reasons)).among(is_redrawn(readings, method))


def redrawn_rises(readings: Readings, method: str) -> tuple[ImageValues, ...]:
    """Return the rise of complexity under each re-draw of all weights, of the images that were asked about.

    The store has their mean, from which the entropy of the clean map follows: a rise is the entropy of the re-drawn map
    over it, less 1.
    """
    mean = quality_values(readings, method, ALWAYS_REDRAWN)
    asked = np.flatnonzero(is_redrawn(readings, method)).tolist()
    parts = [_redrawn_entropies(readings, asked[k : k + READ], method) for k in range(0, len(asked), READ)]
    found = np.concatenate(parts) if parts else np.empty((0, len(readings.qualities.redraws)))
    average = found.mean(1, keepdims=True)
    shares = np.divide(found, average, out=np.ones_like(found), where=average > 0)
    rises = (1 + mean.values[:, None]) * shares - 1
    return tuple(ImageValues(column, mean.reasons) for column in rises.T)


def _redrawn_entropies(readings: Readings, rows: Sequence[int], method: str) -> NDArray[np.float64]:
    maps = readings.redrawn_maps(rows, method)
    return entropies_of_values(maps.reshape(-1, *maps.shape[2:])).reshape(maps.shape[:2])


def entropies_of_values(maps: NDArray[np.floating[Any]]) -> Values:
    """Return the entropy of the histogram of each map's values, as the metric `complexity_rise` has it.

    Parameters
    ----------
    maps
        (n, h, w), on any positive scale; what stands for one that is not finite does not matter.
    """
    values = np.nan_to_num(maps.reshape(len(maps), -1).astype(np.float64), nan=0, posinf=0, neginf=0)
    low, span = values.min(1, keepdims=True), np.ptp(values, axis=1, keepdims=True)
    places = ((values - low) * BINS / np.where(span > 0, span, 1)).astype(np.int64).clip(max=BINS - 1)
    return np.array([entropy(np.bincount(row, minlength=BINS)) for row in places])


def is_redrawn(readings: Readings, method: str) -> Images:
    """Return a mask of the images of which maps of re-drawn networks were asked for."""
    return readings.qualities.is_asked(method, ALWAYS_REDRAWN)


def _asked_values(readings: Readings, method: str, quality: str, values: Values) -> ImageValues:
    reasons = _reasons(readings, values, readings.qualities.reasons(method, quality))
    return ImageValues(values, reasons).among(readings.qualities.is_asked(method, quality))


def _reasons(readings: Readings, values: Values, codes: NDArray[Any]) -> tuple[str, ...]:
    pairs = zip(values, codes, strict=True)
    return tuple(readings.reason_text(int(code)) if np.isnan(value) else "" for value, code in pairs)
