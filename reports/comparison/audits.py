"""The audits that are compared, and the columns that they share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from reports.audit.calibration import CalibratedStability
from reports.audit.facts import ConditionFacts
from reports.audit.readings import Readings
from reports.audit.sections import AuditResult
from reports.comparison.result import ComparisonColumn
from reports.result import Verdict


@dataclass(frozen=True)
class Audit:
    """An audit with its name on the page, its readings and its result."""

    name: str
    readings: Readings
    result: AuditResult

    @cached_property
    def conditions(self) -> dict[tuple[str, str], str]:
        """Return (column, method) -> condition. Under an attack on explanations it is the attack on this method."""
        return {
            (column_of(facts).name, method): facts.id
            for facts in self.result.conditions
            for method in self.readings.methods
            if facts.against in {"", method}
        }

    @cached_property
    def calibrated(self) -> Mapping[tuple[str, str], CalibratedStability]:
        """Return (condition, method) -> calibrated stability."""
        return {(each.condition, each.method): each for each in self.result.calibrated}

    @cached_property
    def verdicts(self) -> Mapping[str, Verdict]:
        """Return condition -> verdict on the attack on an explanation."""
        return {each.condition: each.verdict for each in self.result.verdicts}


def columns_of(results: Sequence[AuditResult]) -> tuple[ComparisonColumn, ...]:
    """Return the columns of all audits: perturbations in order of strength, then other clean maps."""
    found = [column_of(facts) for result in results for facts in result.conditions]
    order = list(dict.fromkeys(column.perturbation for column in found))
    by_strength = sorted(found, key=lambda column: (order.index(column.perturbation), column.strength))
    others = dict.fromkeys(name for result in results for name in result.reference_meanings)
    references = [
        ComparisonColumn(name=name, title=f"clean map, {name.replace('_', ' ')}", perturbation="", strength=None)
        for name in others
    ]
    return tuple({column.name: column for column in (*by_strength, *references)}.values())


def column_of(facts: ConditionFacts) -> ComparisonColumn:
    """Return the column of a condition. Attacks on different methods share one column."""
    return ComparisonColumn(
        name=f"{facts.name}{'@' * bool(facts.strength_text)}{facts.strength_text}",
        title=f"{facts.heading}{', method itself' if facts.against else ''}",
        perturbation=facts.name,
        strength=facts.strength,
    )
