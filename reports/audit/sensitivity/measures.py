"""Sensitivities of all methods to the random changes of a run, and the steepest change that any condition found."""

from collections import Counter
from collections.abc import Iterable, Iterator

from reports.audit.draws import UNITS, Sensitivity, largest_lipschitz, sensitivities
from reports.audit.facts import NOISE, PREDICTION, ConditionFacts, furthest_condition
from reports.audit.readings import Readings
from reports.audit.sensitivity.fields import MethodSensitivity

FOUND = "lipschitz_found"
CORE = ("max_sensitivity", "avg_sensitivity", "lipschitz_random")
"""The sensitivities to one random change that the page shows; the files have all."""


def method_sensitivities(readings: Readings, conditions: Iterable[ConditionFacts]) -> tuple[MethodSensitivity, ...]:
    """Return the sensitivities of each method to each random change, and those found under any condition."""
    random = (facts.id for facts in conditions if facts.family == NOISE)
    drawn = (each for condition in random for each in _under(readings, condition))
    return (*drawn, *_steepest(readings))


def coupled_conditions(conditions: tuple[ConditionFacts, ...]) -> list[str]:
    """Return the noise, and the attack on the prediction, that moved images furthest."""
    furthest = (furthest_condition(conditions, family) for family in (NOISE, PREDICTION))
    return [facts.id for facts in furthest if facts]


def _under(readings: Readings, condition: str) -> Iterator[MethodSensitivity]:
    draws = readings.draws[condition]
    for method in readings.methods:
        for name, found in sensitivities(readings, draws, method).items():
            yield _method_sensitivity(condition, method, name, found)


def _steepest(readings: Readings) -> Iterator[MethodSensitivity]:
    for method in readings.methods:
        found = largest_lipschitz(readings, method)
        if found is not None:
            yield _method_sensitivity("", method, FOUND, found).model_copy(update=_most_frequent(found))


def _method_sensitivity(condition: str, method: str, name: str, found: Sensitivity) -> MethodSensitivity:
    return MethodSensitivity(
        condition=condition,
        draws=found.asked,
        method=method,
        name=name,
        estimate=found.mean(UNITS[name]),
        draws_left_out=dict(found.draws_left_out),
    )


def _most_frequent(found: Sensitivity) -> dict[str, object]:
    """Return the condition of the largest value of most images; of equals the first."""
    counts = Counter(name for name in found.conditions if name).most_common(1)
    return {"found_under": counts[0][0], "found_on": counts[0][1]} if counts else {}
