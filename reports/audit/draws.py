"""Sensitivity of the maps, image by image: reductions over draws of one condition. Nothing is explained again.

Notation: a is the clean map, b the map under a draw, x the normalised inputs, C N their number. The relative change of
a map is norm2(a - b) / norm2(a), the metric `relative_change`. Values grow with the number of draws and the strength,
so that only those of one group compare.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.plan.conditions import CLEAN
from reports.audit.image_values import ImageValues
from reports.audit.readings import NOT_COMPUTED, Readings
from reports.statistics import Values, means_over_draws

CHANGE = "relative_change"
LEAST_CHANGE = 1e-6
"""Smaller changes of input, answer or features count as this."""
NO_INPUT_CHANGE = "the input did not change"
FLIPPED = "the prediction flipped"
NO_ENCODER = "the network has no encoder"
GEOMETRIC = "geometric change"
Ratio = Literal["ris", "ros", "rrs"]
MEASURES: Mapping[Ratio, str] = MappingProxyType(
    {"ris": "input_relative", "ros": "logit_l2", "rrs": "feature_relative"}
)
"""Relative stability -> the measure of change that the change of the map is divided by."""
LIPSCHITZ = "relative change of the map for each RMS unit of the normalised inputs, 0 to inf"
UNITS: Mapping[str, str] = MappingProxyType(
    {
        "max_sensitivity": "largest relative change of the map, 0 to inf",
        "avg_sensitivity": "mean relative change of the map, 0 to inf",
        "lipschitz_random": LIPSCHITZ,
        "lipschitz_found": LIPSCHITZ,
        "ris": "relative change of the map over that of the inputs, 0 to inf",
        "ros": "relative change of the map for each unit of the logits, 0 to inf",
        "rrs": "relative change of the map over that of the features, 0 to inf",
    }
)
Texts = NDArray[np.object_]


@dataclass(frozen=True)
class Sensitivity(ImageValues):
    """A number for each image, made from its draws."""

    draws_left_out: Mapping[str, int] = field(default_factory=dict)
    """How many draws of all images have no value, by reason."""
    asked: int = 1
    """Number of draws of each image."""
    conditions: tuple[str, ...] = ()
    """For each image, the condition of the largest value; empty for one without a value, or of a mean."""


def sensitivities(readings: Readings, conditions: Sequence[str], method: str) -> dict[str, Sensitivity]:
    """Return all sensitivities of a method to the draws of one group, by name; their units are in `UNITS`."""
    return {
        "max_sensitivity": max_sensitivity(readings, conditions, method),
        "avg_sensitivity": avg_sensitivity(readings, conditions, method),
        "lipschitz_random": lipschitz_random(readings, conditions, method),
        **{ratio: relative_stability(readings, conditions, method, ratio) for ratio in MEASURES},
    }


def max_sensitivity(readings: Readings, conditions: Sequence[str], method: str) -> Sensitivity:
    """Return the largest relative change of the map over draws.

    References
    ----------
    Yeh et al. 2019, definition 2, divided by norm2(a) as in their code.
    """
    return _largest(*_changes_of_map(readings, conditions, method), conditions)


def avg_sensitivity(readings: Readings, conditions: Sequence[str], method: str) -> Sensitivity:
    """Return the mean relative change of the map over draws."""
    changes, why = _changes_of_map(readings, conditions, method)
    return Sensitivity(
        means_over_draws(changes), _image_reasons(changes, why), _left_out(changes, why), len(conditions)
    )


def lipschitz_random(readings: Readings, conditions: Sequence[str], method: str) -> Sensitivity:
    """Return the largest relative change for each unit of the root mean square of the change of x.

    It is relative_change sqrt(C N) / norm2(change of x): a form of the local Lipschitz estimate that does not depend on
    the resolution.

    References
    ----------
    Alvarez-Melis, Jaakkola 2018, for the estimate.
    """
    changes, why = _changes_of_map(readings, conditions, method)
    moved = _stack(readings.changes(condition, "input_l2") for condition in conditions)
    ratios = _divide(changes, moved / np.sqrt(_input_size(readings)), moved > 0)
    return _largest(ratios, _first_reason(why, np.where(moved == 0, NO_INPUT_CHANGE, "")), conditions)


def largest_lipschitz(readings: Readings, method: str) -> Sensitivity | None:
    """Return the largest `lipschitz_random` over all stored conditions but geometric changes, attacks included.

    It is a lower bound of what the worst input does. None: the run has no such condition.
    """
    families = readings.dataset["perturbation_family"].values.tolist()
    pairs = zip(readings.dataset["perturbation"].values.astype(str), families, strict=True)
    found = [name for name, family in pairs if name != CLEAN and family != GEOMETRIC]
    return lipschitz_random(readings, found, method) if found else None


def relative_stability(readings: Readings, conditions: Sequence[str], method: str, ratio: Ratio) -> Sensitivity:
    """Return the largest relative change of the map over that of input (RIS), logits (ROS) or features (RRS).

    Draws whose prediction flipped are left out. The denominator is at least 1e-6. Norms are of whole maps; the paper
    divides element by element, where pixels near 0 rule.

    References
    ----------
    Agarwal et al. 2022.
    """
    changes, why = _changes_of_map(readings, conditions, method)
    moved = _stack(readings.changes(condition, MEASURES[ratio]) for condition in conditions)
    is_kept = np.stack([readings.is_kept(condition) for condition in conditions], 1)
    is_moved = _stack(readings.changes(condition, "input_l2") for condition in conditions) != 0
    is_known = ~np.isnan(moved)
    ratios = _divide(changes, np.maximum(moved, LEAST_CHANGE), is_kept & is_moved & is_known)
    unknown = NO_ENCODER if ratio == "rrs" else NOT_COMPUTED
    own = np.select([~is_moved, ~is_kept, ~is_known], [NO_INPUT_CHANGE, FLIPPED, unknown], "")
    return _largest(ratios, _first_reason(why, own), conditions)


def _changes_of_map(readings: Readings, conditions: Sequence[str], method: str) -> tuple[Values, Texts]:
    """Return the relative changes (image, draw), and the reasons of those that are NaN."""
    changes = _stack(readings.scores(condition, method, CHANGE) for condition in conditions)
    codes = np.stack([readings.reasons(condition, method, CHANGE) for condition in conditions], 1)
    words = np.array([readings.reason_text(int(code)) for code in codes.flat], object).reshape(codes.shape)
    return changes, np.where(np.isnan(changes), words, "")


def _largest(values: Values, why: Texts, conditions: Sequence[str]) -> Sensitivity:
    known = ~_has_none(values)
    filled = np.where(np.isnan(values), -np.inf, values)
    found = filled.argmax(1)
    return Sensitivity(
        np.where(known, filled.max(1), np.nan),
        _image_reasons(values, why),
        _left_out(values, why),
        len(conditions),
        tuple(conditions[draw] if is_known else "" for draw, is_known in zip(found, known, strict=True)),
    )


def _image_reasons(values: Values, why: Texts) -> tuple[str, ...]:
    """Return, for each image without a value, the reason of its first draw."""
    return tuple(str(text) if missing else "" for text, missing in zip(why[:, 0], _has_none(values), strict=True))


def _has_none(values: Values) -> NDArray[np.bool_]:
    return np.asarray(np.isnan(values).all(1))


def _left_out(values: Values, why: Texts) -> dict[str, int]:
    return dict(sorted(Counter(map(str, why[np.isnan(values)])).items()))


def _first_reason(first: Texts, second: NDArray[np.generic]) -> Texts:
    return np.where(first != "", first, second.astype(object))


def _divide(values: Values, by: Values, is_possible: NDArray[np.bool_]) -> Values:
    return np.divide(values, by, out=np.full_like(values, np.nan), where=is_possible)


def _stack(columns: Iterable[Values]) -> Values:
    return np.stack(list(columns), 1)


def _input_size(readings: Readings) -> int:
    """Return the number of inputs of one image, C N."""
    sizes = readings.dataset["input"].sizes
    return math.prod(size for dim, size in sizes.items() if dim not in {"image", "perturbation"})
