"""The one family of comparisons that is declared beforehand: SRD against every other method that is no control."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reports import statistics
from reports.audit.comparisons.chosen_conditions import Setting, attack_settings, noise_setting, shared_setting
from reports.audit.outcomes import in_all_draws, own_image
from reports.audit.readings import NOT_COMPUTED, Readings
from reports.audit.reliability import ReliabilityFields
from reports.result import Estimate, ResultModel
from reports.statistics import Adjusted, Family, PairedComparison, PValue, Values

SUBJECT = "srd"
"""The method that the family compares with all others."""
UNIT = "difference of own image, -1 to 1"
LEFT_OUT = f"undefined, or {NOT_COMPUTED}"
WHY = (
    "The outcome is own image, since verdicts rest on it and since it needs no scale: correlations of coarse and fine "
    "maps are not of one kind. The condition is chosen without a look at the maps: where an attack of one kind and "
    "size is reliable against both methods, each is attacked itself, by the first such attack of the spec at its "
    "largest strength; else it is the noise that moved the images furthest."
)


class FamilyComparison(ResultModel):
    """The comparison of SRD with one other method."""

    method: str
    """The other method."""
    setting: str
    """The change of the images, in words."""
    conditions: tuple[str, str]
    """The conditions of SRD and of the other method."""
    is_attack: bool
    """Whether each of the two methods is attacked itself."""
    difference: Estimate
    """Own image of SRD minus that of the other method, paired by image, with its t interval. Higher: better for SRD."""
    p: float | None
    """Sign-flip p-value, two-sided, not adjusted."""
    adjusted: float | None
    """Adjusted by Holm in the family; None where there is none, `reason` says why."""
    reason: str
    effect: float | None
    """Rank-biserial correlation, -1 to 1; None where no image differs."""
    detectable: float | None
    """The difference that so many images show with probability 0.8; None where all differences are equal."""

    @property
    def is_significant(self) -> bool:
        """Return whether the difference is not 0, at 5 % for the whole family."""
        return self.adjusted is not None and self.adjusted <= statistics.LEVEL


@dataclass(frozen=True)
class _Pair:
    other: str
    setting: Setting
    differences: Values
    comparison: PairedComparison


def family_comparisons(readings: Readings, result: ReliabilityFields) -> tuple[FamilyComparison, ...]:
    """Return the comparisons of the family; none without SRD, or without a condition to compare under."""
    others = [each.name for each in result.methods if each.name != SUBJECT and not each.is_control]
    if SUBJECT not in readings.methods:
        return ()
    noise = noise_setting(result)
    settings = [*attack_settings(result), *([noise] if noise else [])]
    chosen = ((other, shared_setting(settings, SUBJECT, other)) for other in others)
    pairs = [_pair(readings, other, setting) for other, setting in chosen if setting]
    family = Family(tuple(pair.other for pair in pairs), WHY)
    tests = {pair.other: PValue(pair.comparison.p, pair.comparison.difference.n) for pair in pairs}
    return tuple(
        _family_comparison(pair, each) for pair, each in zip(pairs, statistics.adjust(family, tests), strict=True)
    )


def own_image_values(readings: Readings, condition: str, method: str) -> Values:
    """Return own image of each image: 1 where all draws of the condition hit, NaN where it is not counted."""
    return in_all_draws([own_image(readings, draw, method) for draw in readings.draws[condition]]).values


def own_image_matrix(readings: Readings, setting: Setting, methods: Sequence[str]) -> Values:
    """Return own image (image, method) under the condition of each method."""
    return np.stack([own_image_values(readings, setting.conditions[name], name) for name in methods], 1)


def _pair(readings: Readings, other: str, setting: Setting) -> _Pair:
    first, second = own_image_matrix(readings, setting, (SUBJECT, other)).T
    return _Pair(other, setting, first - second, statistics.paired_comparison(first, second, UNIT, LEFT_OUT))


def _family_comparison(pair: _Pair, adjusted: Adjusted) -> FamilyComparison:
    known = pair.differences[~np.isnan(pair.differences)]
    sd = float(known.std(ddof=1)) if len(known) > 1 else 0.0
    return FamilyComparison(
        method=pair.other,
        setting=pair.setting.heading,
        conditions=(pair.setting.conditions[SUBJECT], pair.setting.conditions[pair.other]),
        is_attack=pair.setting.is_attack,
        difference=pair.comparison.difference,
        p=pair.comparison.p,
        adjusted=adjusted.adjusted,
        reason=adjusted.reason,
        effect=pair.comparison.effect,
        detectable=statistics.detectable_difference(len(known), sd) if sd > 0 else None,
    )
