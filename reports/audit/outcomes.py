"""Outcomes of a manipulation, image by image: 1, 0, or NaN for an image that is not counted.

Notation: a is the clean map of the image, b its map under the condition, m the clean map of the target image. All maps
are of one method.

A method's own map that is constant or not finite is a miss, 0. An undefined map to compare with is not the method's
fault: the image is not counted, or, of another class, a constant one counts as different.
"""

from collections.abc import Sequence

import numpy as np

from pipeline.plan.conditions import CLEAN
from pipeline.plan.schema import Reason
from reports.audit.image_values import ImageValues
from reports.audit.readings import NOT_COMPUTED, Readings
from reports.result import MEASURE
from reports.statistics import Values, hits_in_all_draws
from srd.registry import ATTRIBUTORS

TIE = 1e-6
"""Similarities that differ by no more are equal, and neither map is the closer one."""
FAULTS = (Reason.NO_CONTRAST, Reason.NOT_FINITE)
"""The states of a method's own map that make an outcome a miss."""


def own_image(readings: Readings, condition: str, method: str, similarity: str = MEASURE) -> ImageValues:
    """Return whether the map is closer to that of its own image than to that of the target image.

    sim(b, a) > sim(b, m); a tie is 0, so that a map which does not depend on the image scores 0.
    """
    return _is_closer(readings, condition, method, similarity, ("target_similarity", "other_image"))


def own_class(readings: Readings, condition: str, method: str, similarity: str = MEASURE) -> ImageValues:
    """Return whether the map is closer to that of its own class than to that of another class of the same image.

    sim(b, a) > sim(b, a_other_class); a tie is 0. A constant map of the other class counts as different, 1.
    """
    return _is_closer(readings, condition, method, similarity, ("other_class_similarity", "other_class"))


def target_gain(readings: Readings, condition: str, method: str, similarity: str = MEASURE) -> ImageValues:
    """Return how much closer to the map of the target image the map became: sim(b, m) - sim(a, m), -2 to 2."""
    after = readings.comparison_scores("target_similarity", condition, method, similarity)
    values = after - readings.reference_scores(method, "other_image", similarity)
    own = _own_reasons(readings, condition, method, similarity)
    reasons = [
        "" if not np.isnan(value) else why or readings.comparison_failure(row, method, "other_image")
        for row, (value, why) in enumerate(zip(values, own, strict=True))
    ]
    return ImageValues(values, tuple(reasons))


def beyond_control(
    readings: Readings, condition: str, control: str, method: str, similarity: str = MEASURE
) -> ImageValues:
    """Return how much further the condition moves the map than its control: sim(b_control, a) - sim(b, a), -2 to 2."""
    values = readings.scores(control, method, similarity) - readings.scores(condition, method, similarity)
    both = [_own_reasons(readings, name, method, similarity) for name in (condition, control)]
    reasons = (
        "" if not np.isnan(value) else first or second for value, first, second in zip(values, *both, strict=True)
    )
    return ImageValues(values, tuple(reasons))


def kept_under_flip(readings: Readings, condition: str, method: str, similarity: str = MEASURE) -> ImageValues:
    """Return whether the predicted class changed while the map stayed that of its own image."""
    closer = own_image(readings, condition, method, similarity)
    is_known = readings.is_predicted(condition) & readings.is_predicted(CLEAN)
    is_flipped = is_known & ~readings.is_kept(condition)
    values = np.where(is_known, np.where(is_flipped, closer.values, 0.0), np.nan)
    reasons = (
        (why if flipped else "") if known else NOT_COMPUTED
        for known, flipped, why in zip(is_known, is_flipped, closer.reasons, strict=True)
    )
    return ImageValues(values, tuple(reasons))


def in_all_draws(draws: Sequence[ImageValues]) -> ImageValues:
    """Return the outcome over several draws of one condition: 1 where all draws that count are 1.

    The reason is that of the first draw which has one and ends as the image does.
    """
    values = hits_in_all_draws(np.stack([each.values for each in draws], 1))
    return ImageValues(values, tuple(_shared_reason(draws, row, value) for row, value in enumerate(values)))


def in_any_draw(draws: Sequence[ImageValues]) -> ImageValues:
    """Return the worst outcome over several draws where outcomes should be rare: 1 where any draw is 1.

    A method's own undefined map counts as 1 here. The reason is that of the first draw which ends as the image does.
    """
    worst = [
        ImageValues(np.where((each.values == 0) & (np.array(each.reasons) != ""), 1.0, each.values), each.reasons)
        for each in draws
    ]
    values = np.fmax.reduce([each.values for each in worst])
    return ImageValues(values, tuple(_shared_reason(worst, row, value) for row, value in enumerate(values)))


def own_scores(readings: Readings, condition: str, method: str, similarity: str = MEASURE) -> Values:
    """Return the similarities of all images' maps to the clean map of their own image, NaN where undefined.

    The clean map of a method that draws at random is drawn again: that with itself says nothing.
    """
    if _is_drawn_again(condition, method):
        return readings.reference_scores(method, "repeat", similarity)
    return readings.scores(condition, method, similarity)


def _is_drawn_again(condition: str, method: str) -> bool:
    return condition == CLEAN and ATTRIBUTORS[method].stochastic


def _shared_reason(draws: Sequence[ImageValues], row: int, value: float) -> str:
    found = (each.reasons[row] for each in draws if each.reasons[row] and np.array_equal(each.values[row], value, True))
    return next(found, "")


def _is_closer(
    readings: Readings, condition: str, method: str, similarity: str, comparison: tuple[str, str]
) -> ImageValues:
    """Return whether maps are closer to their own clean maps than to others, a stored variable of a reference."""
    variable, reference = comparison
    own = own_scores(readings, condition, method, similarity)
    other = readings.comparison_scores(variable, condition, method, similarity)
    values = np.where(np.isnan(own) | np.isnan(other), np.nan, (own - other > TIE).astype(np.float64))
    reasons = _own_reasons(readings, condition, method, similarity)
    codes = readings.reasons(condition, method, similarity)
    values[np.isnan(own) & np.isin(codes, FAULTS)] = 0.0
    for row in np.flatnonzero(np.isnan(own) & [not why for why in reasons]).tolist():
        values[row], reasons[row] = 0.0, readings.comparison_failure(row, method, "repeat")
    for row in np.flatnonzero(~np.isnan(own) & np.isnan(other)).tolist():
        reasons[row] = readings.comparison_failure(row, method, reference)
        if reference == "other_class" and readings.is_comparison_finite(row, method, reference):
            values[row] = 1.0
    return ImageValues(values, tuple(reasons))


def _own_reasons(readings: Readings, condition: str, method: str, similarity: str) -> list[str]:
    """Return, for each image, why its own maps have no similarity; empty where they have one."""
    own: Values = readings.scores(condition, method, similarity)
    codes = readings.reasons(condition, method, similarity)
    return [readings.reason_text(int(code)) if np.isnan(value) else "" for value, code in zip(own, codes, strict=True)]
