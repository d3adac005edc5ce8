"""Calibrated stability: similarity of clean and perturbed maps on a method's own scale, and rankings by it.

It is (similarity - floor) / (ceiling - floor). The floor is the mean similarity of the method's clean maps of two
images; the ceiling is 1, or, of a method that draws at random, the mean similarity of two maps of the clean image. So 1
stands for a map that moved no more than by its own noise, and 0 for one that is as unlike the clean map as that of
another image.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from reports import statistics
from reports.audit.facts import (
    EXPLANATION,
    PREDICTION,
    ConditionFacts,
    MethodFacts,
    aims_to_move_maps,
    strongest_conditions,
)
from reports.audit.readings import NOT_COMPUTED, Readings
from reports.audit.reliability import AttackVerdict, ReliabilityFields
from reports.formatting import method_title, number
from reports.result import MEASURE, Estimate, ResultModel
from reports.statistics import Values

FLOOR = "other_image"
CEILING = "repeat"
UNIT = "calibrated stability, 1 = unmoved, 0 = as unlike as the map of another image"
LEAST_SPAN = 0.1
"""The least distance of floor and ceiling that makes a scale. It is a convention, so the reason gives the number."""
AT_FLOOR = "no more alike than the clean maps of two images"
UNREPEATED = "its maps are random, so that even on the clean image they are only as alike as its repeats"
LEFT_OUT = f"undefined, or {NOT_COMPUTED}"


class CalibratedStability(ResultModel):
    """Calibrated stability of one method under one condition: correlation, all images."""

    condition: str
    method: str
    similarity: float | None
    """Mean similarity of clean and perturbed maps, over the images that also have a floor."""
    floor: float | None
    """Mean similarity of the clean maps to those of another image, over the same images."""
    ceiling: float | None
    """Mean similarity of two maps of the clean image, over the same images; 1 for a method without randomness."""
    estimate: Estimate

    @property
    def is_at_floor(self) -> bool:
        """Return whether there is a scale, on which the perturbed maps lie at its floor or below."""
        return self.estimate.value is None and self.estimate.reason.startswith(AT_FLOOR)


Contrast = Callable[[CalibratedStability, CalibratedStability], Estimate]
"""The calibrated stability of the first minus that of the second, paired by image."""


class Rival(ResultModel):
    """The distance of another method or condition from the end of a ranking."""

    condition: str
    method: str
    difference: Estimate
    """Calibrated stability, the larger minus the smaller, paired by image."""

    @property
    def is_told_apart(self) -> bool:
        """Return whether the whole interval lies above 0."""
        return self.difference.low is not None and self.difference.low > 0


class Unranked(ResultModel):
    """A method that is not ranked, and why."""

    condition: str
    method: str
    reason: str
    is_at_floor: bool
    """Whether the reason is that its maps moved out of the scale."""


class Ranking(ResultModel):
    """Methods by calibrated stability: under one attack, each attacked itself, or under all that is no attack."""

    attack: str
    """Empty for the perturbations that are no attack."""
    strength_text: str
    ranked: tuple[CalibratedStability, ...]
    """The least moved first."""
    unranked: tuple[Unranked, ...]
    rivals_of_first: tuple[Rival, ...]
    rivals_of_last: tuple[Rival, ...]


class CalibrationFields(ReliabilityFields):
    """Fields that calibration adds to the result."""

    calibrated: tuple[CalibratedStability, ...]
    rankings: tuple[Ranking, ...]


def calibrated_stabilities(
    readings: Readings, conditions: Iterable[ConditionFacts], methods: Sequence[MethodFacts]
) -> tuple[CalibratedStability, ...]:
    """Return the calibrated stability of each method. Under an attack on explanations it is attacked itself."""
    return tuple(
        _calibrated_stability(readings, facts.id, method)
        for facts in conditions
        for method in methods
        if facts.against in {"", method.name}
    )


def difference(readings: Readings, first: CalibratedStability, second: CalibratedStability) -> Estimate:
    """Return the first calibrated stability minus the second, over the images that have both.

    It has no value where one of the two has none.
    """
    for cell in (first, second):
        if cell.estimate.value is None:
            return _undefined_estimate(cell.estimate.n, f"{method_title(cell.method)}: {cell.estimate.reason}")
    samples = [values for cell in (first, second)
               for values in _scale_samples(readings, cell.condition, cell.method)]  # fmt: skip
    return _paired_estimate(_difference, samples, f"difference of {UNIT}")


def rankings(
    conditions: Sequence[ConditionFacts],
    methods: Iterable[MethodFacts],
    calibrated: Iterable[CalibratedStability],
    verdicts: Iterable[AttackVerdict],
    contrast: Contrast,
) -> tuple[Ranking, ...]:
    """Rank methods where nothing attacks, then under each attack that aims to move their maps.

    Only the largest strength for each method counts. Controls are not ranked, for they explain nothing.
    """
    reasons = {each.condition: each.verdict for each in verdicts}
    real = {method.name for method in methods if not method.is_control}
    cells = {(each.condition, each.method): each for each in calibrated if each.method in real}
    groups = _groups(strongest_conditions(conditions))
    found = (
        _ranking(name, [cell for (condition, _), cell in cells.items() if condition in ids], reasons, contrast)
        for name, ids in groups.items()
    )
    return tuple(each for each in found if each.ranked or each.unranked)


def _groups(conditions: Iterable[ConditionFacts]) -> dict[tuple[str, str], set[str]]:
    """Return (attack, strength) -> conditions that are ranked together."""
    groups: dict[tuple[str, str], set[str]] = {}
    for facts in sorted(conditions, key=lambda facts: facts.family == EXPLANATION):
        if aims_to_move_maps(facts):
            groups.setdefault((facts.name, facts.strength_text), set()).add(facts.id)
        elif facts.family not in {EXPLANATION, PREDICTION}:
            groups.setdefault(("", ""), set()).add(facts.id)
    return groups


def _ranking(
    name: tuple[str, str], cells: Sequence[CalibratedStability], verdicts: Mapping[str, str], contrast: Contrast
) -> Ranking:
    reasons = [(cell, verdicts.get(cell.condition) or _reason_of(cell.estimate)) for cell in cells]
    ranked = sorted((cell for cell, reason in reasons if not reason), key=_value, reverse=True)
    unranked = (_unranked_cell(cell, why) for cell, why in reasons if why)
    first, last = ranked[:1], ranked[-1:]
    return Ranking(
        attack=name[0],
        strength_text=name[1],
        ranked=tuple(ranked),
        unranked=tuple(unranked),
        rivals_of_first=tuple(_rival(other, contrast(best, other)) for best in first for other in ranked[1:]),
        rivals_of_last=tuple(_rival(other, contrast(other, worst)) for worst in last for other in ranked[-2::-1]),
    )


def _unranked_cell(cell: CalibratedStability, reason: str) -> Unranked:
    is_at_floor = cell.is_at_floor and reason == cell.estimate.reason
    return Unranked(condition=cell.condition, method=cell.method, reason=reason, is_at_floor=is_at_floor)


def _rival(cell: CalibratedStability, difference: Estimate) -> Rival:
    return Rival(condition=cell.condition, method=cell.method, difference=difference)


def _reason_of(estimate: Estimate) -> str:
    return estimate.reason if estimate.value is None else ""


def _value(cell: CalibratedStability) -> float:
    return cell.estimate.value or 0.0


def _calibrated_stability(readings: Readings, condition: str, method: MethodFacts) -> CalibratedStability:
    samples = _scale_samples(readings, condition, method.name)
    defined = ~np.isnan(samples).any(0)
    similarity, floor, ceiling = (float(values[defined].mean()) if defined.any() else None for values in samples)
    is_unrepeated = method.stochastic and not _is_repeated(readings, method.name)
    reason = UNREPEATED if is_unrepeated else _reason_without_scale(similarity, floor, ceiling)
    return CalibratedStability(
        condition=condition,
        method=method.name,
        similarity=similarity,
        floor=floor,
        ceiling=None if is_unrepeated else ceiling,
        estimate=_undefined_estimate(int(defined.sum()), reason)
        if reason
        else _paired_estimate(_calibrate, samples, UNIT),
    )


def _reason_without_scale(similarity: float | None, floor: float | None, ceiling: float | None) -> str:
    if similarity is None or floor is None or ceiling is None:
        return ""
    if ceiling - floor < LEAST_SPAN and ceiling < 1:
        return (
            f"no scale: two maps of one image, correlation {number(ceiling)}, are hardly more alike than those of two, "
            f"{number(floor)}"
        )
    if ceiling - floor < LEAST_SPAN:
        return f"no scale: maps of two images are almost the same, correlation {number(floor)}"
    if similarity <= floor:
        return f"{AT_FLOOR}: {number(similarity)} against {number(floor)}"
    return ""


def _undefined_estimate(n: int, reason: str) -> Estimate:
    return Estimate(value=None, low=None, high=None, n=n, unit=UNIT, interval="none", reason=reason, excluded={})


def _scale_samples(readings: Readings, condition: str, method: str) -> tuple[Values, Values, Values]:
    """Return similarity, floor and ceiling of each image, NaN where undefined."""
    similarity = readings.scores(condition, method, MEASURE)
    is_repeated = _is_repeated(readings, method)
    ceiling = readings.reference_scores(method, CEILING, MEASURE) if is_repeated else np.ones_like(similarity)
    return similarity, readings.reference_scores(method, FLOOR, MEASURE), ceiling


def _is_repeated(readings: Readings, method: str) -> bool:
    """Return whether second maps of clean images are stored. Of methods without randomness there are none."""
    if CEILING not in readings.references:
        return False
    return not np.isnan(readings.reference_scores(method, CEILING, MEASURE)).all()


def _paired_estimate(statistic: statistics.Statistic, samples: Sequence[Values], unit: str) -> Estimate:
    """Return a statistic over the images of which all samples have a value."""
    defined = ~np.isnan(samples).any(0)
    absent = int((~defined).sum())
    return statistics.estimate_of_pairs(
        statistic, [v[defined] for v in samples], unit, {LEFT_OUT: absent} if absent else {}
    )


def _calibrate(*samples: Values, axis: int) -> Any:
    similarity, floor, ceiling = (values.mean(axis) for values in samples)
    with np.errstate(divide="ignore", invalid="ignore"):  # resamples without a scale leave no interval
        return (similarity - floor) / (ceiling - floor)


def _difference(*samples: Values, axis: int) -> Any:
    return _calibrate(*samples[:3], axis=axis) - _calibrate(*samples[3:], axis=axis)
