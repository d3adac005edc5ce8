"""The correlation of moved maps with moved answers: exploratory, and no verdict rests on it."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata

from pipeline.plan.conditions import CLEAN
from reports import statistics
from reports.audit.readings import NOT_COMPUTED, Readings
from reports.result import MEASURE, Estimate, ResultModel
from reports.statistics import Values

EDGES = "edges"
"""The control that does not look at the network: what it couples with the answer is the image's doing."""
UNIT = "Spearman correlation over images, -1 to 1"
LEFT_OUT = f"undefined, or {NOT_COMPUTED}"
NO_ORDER = "the images have no order: their answers or their maps all moved equally far"


class Coupling(ResultModel):
    """Coupling of answer and map of one method within one condition. Exploratory."""

    condition: str
    method: str
    correlation: Estimate
    """Spearman, over images, of the change of the target's probability and of the map, 1 - pearson."""
    beyond_edges: Estimate | None
    """It less that of the edge map, over the images that have both; None for the edge map itself, or without one."""


def couplings(readings: Readings, conditions: Iterable[str]) -> tuple[Coupling, ...]:
    """Return the coupling of each method within each condition."""
    return tuple(coupling(readings, condition, method) for condition in conditions for method in readings.methods)


def coupling(readings: Readings, condition: str, method: str) -> Coupling:
    """Return the coupling of a method within a condition."""
    answer = np.abs(readings.target_probabilities(condition) - readings.target_probabilities(CLEAN))
    own = 1 - readings.scores(condition, method, MEASURE)
    has_edges = EDGES in readings.methods and method != EDGES
    rivals = [own, 1 - readings.scores(condition, EDGES, MEASURE)] if has_edges else []
    return Coupling(
        condition=condition,
        method=method,
        correlation=_estimate([answer, own], UNIT),
        beyond_edges=_estimate([answer, *rivals], f"difference of {UNIT}") if has_edges else None,
    )


def _estimate(samples: Sequence[Values], unit: str) -> Estimate:
    """Return the statistic over the images that have all values."""
    is_whole = ~np.isnan(samples).any(0)
    absent = int((~is_whole).sum())
    excluded = {LEFT_OUT: absent} if absent else {}
    known = [values[is_whole] for values in samples]
    if is_whole.any() and any(np.ptp(values) == 0 for values in known):
        return statistics.no_estimate(unit, excluded, NO_ORDER)
    return statistics.estimate_of_pairs(_lead if len(known) > 2 else _spearman, known, unit, excluded)


def _spearman(first: Values, second: Values, *, axis: int) -> Any:
    a, b = (_centred_ranks(values, axis) for values in (first, second))
    with np.errstate(invalid="ignore"):  # a resample of equal values has no order
        return (a * b).sum(axis) / np.sqrt((a * a).sum(axis) * (b * b).sum(axis))


def _lead(answer: Values, own: Values, edges: Values, *, axis: int) -> Any:
    return _spearman(answer, own, axis=axis) - _spearman(answer, edges, axis=axis)


def _centred_ranks(values: Values, axis: int) -> Values:
    ranks = rankdata(values, axis=axis)
    return np.asarray(ranks - ranks.mean(axis, keepdims=True))
