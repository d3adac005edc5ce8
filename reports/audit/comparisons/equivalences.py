"""Tests that an attack moves the maps of the method that it attacks no further than noise of equal size does."""

from reports import statistics
from reports.audit.comparisons.chosen_conditions import aimed_conditions
from reports.audit.facts import strongest_conditions
from reports.audit.outcomes import beyond_control
from reports.audit.readings import Readings
from reports.audit.reliability import ReliabilityFields, control_of, verdicts_of
from reports.result import ResultModel, Verdict
from reports.statistics import Equivalence


class NoiseEquivalence(ResultModel):
    """Two one-sided tests of the similarity that an attack costs beyond what its control costs."""

    condition: str
    method: str
    control: str
    value: float | None
    """Mean of beyond_control, -2 to 2; above 0 the attack moves maps further. None where no image has a value."""
    n: int
    excluded: dict[str, int]
    equivalence: Equivalence
    attack_verdict: Verdict


def noise_equivalences(readings: Readings, result: ReliabilityFields) -> tuple[NoiseEquivalence, ...]:
    """Return the test of each attack that aims to move maps, at its largest strength against each method.

    An attack without a control of equal size is left out.
    """
    verdicts = verdicts_of(result)
    found = []
    for facts in strongest_conditions(aimed_conditions(result.conditions)):
        control = control_of(facts, result.conditions)
        if control is None:
            continue
        lost = beyond_control(readings, facts.id, control, facts.against)
        values = lost.counted
        found.append(
            NoiseEquivalence(
                condition=facts.id,
                method=facts.against,
                control=control,
                value=float(values.mean()) if len(values) else None,
                n=len(values),
                excluded=lost.excluded,
                equivalence=statistics.equivalence(values),
                attack_verdict=verdicts.get((facts.id, facts.against), ""),
            )
        )
    return tuple(found)
