"""The audits that are compared: what is read of each, and the columns that they share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path

from pipeline.store.integrity import blame_damage, check_results
from pipeline.store.store import open_results
from reports.audit.facts import ConditionFacts
from reports.audit.readings import Readings
from reports.audit.record import record_of
from reports.audit.sections import AuditResult
from reports.audit.summarise import summarise
from reports.audit.verdicts import Verdict
from reports.comparison.result import Column
from reports.result import Images
from reports.runs import location_of
from srd.errors import InputError


@dataclass(frozen=True)
class Audit:
    """One of the audits."""

    name: str
    readings: Readings
    result: AuditResult

    @cached_property
    def entries(self) -> dict[tuple[str, str], str]:
        """Return (column, method) -> entry of the perturbation axis; an attack on explanations is the method's own."""
        return {
            (column_of(facts).name, method): facts.id
            for facts in self.result.conditions
            for method in self.readings.methods
            if facts.against in {"", method}
        }

    @cached_property
    def verdicts(self) -> Mapping[tuple[str, str, str, Images], Verdict]:
        """Return (entry, method, similarity, images) -> verdict on the attack."""
        cells = ((table, row, cell) for table in self.result.transfer for row in table.rows for cell in row.cells)
        return {(row.condition, cell.evaluating, table.similarity, table.images): cell.verdict
                for table, row, cell in cells}  # fmt: skip


def read_audits(folders: Sequence[Path]) -> list[Audit]:
    """Return the audits of these folders, each with a name. Raises InputError if a folder is given twice."""
    return [_audit(name, folder) for name, folder in zip(_names(folders), folders, strict=True)]


def columns_of(results: Sequence[AuditResult]) -> tuple[Column, ...]:
    """Return the columns of all audits: perturbations by strength, then other clean maps."""
    found = [column_of(facts) for result in results for facts in result.conditions]
    order = list(dict.fromkeys(column.perturbation for column in found))
    by_strength = sorted(found, key=lambda column: (order.index(column.perturbation), column.strength))
    others = dict.fromkeys(name for result in results for name in result.reference_meanings)
    references = [
        Column(name=name, title=f"clean map, {name.replace('_', ' ')}", perturbation="", strength=None)
        for name in others
    ]
    return tuple({column.name: column for column in (*by_strength, *references)}.values())


def column_of(facts: ConditionFacts) -> Column:
    """Return the column of an entry of the perturbation axis, the same for every attacked method."""
    return Column(
        name=f"{facts.name}{'@' * bool(facts.strength_text)}{facts.strength_text}",
        title=f"{facts.heading}{', method itself' if facts.against else ''}",
        perturbation=facts.name,
        strength=facts.strength,
    )


def _audit(name: str, folder: Path) -> Audit:
    store = location_of(folder)
    check_results(store)
    with blame_damage(store):
        readings = Readings(open_results(store))
        return Audit(name, readings, summarise(readings, record_of(folder, store)))


def _names(folders: Sequence[Path]) -> list[str]:
    """Return as much of the end of each path as sets them apart."""
    paths = [folder.resolve() for folder in folders]
    for path in paths:
        if paths.count(path) > 1:
            raise InputError(f"{path}: stands twice among the runs; name it once")
    ends = (["/".join(path.parts[-depth:]) for path in paths] for depth in count(1))
    return next(names for names in ends if len(set(names)) == len(names))
