"""The step from the readings of a store to the result of the audit."""

from collections.abc import Callable, Sequence
from typing import Any

from reports.audit.identity_tables import completeness
from reports.audit.readings import Readings
from reports.audit.run_record import RunRecord
from reports.audit.sections import MEASURED, SECTIONS, AuditResult
from reports.audit.verdicts.criteria import Criterion, default_criteria


def summarise(
    readings: Readings,
    record: RunRecord,
    criteria: Sequence[Criterion] | None = None,
    advance: Callable[[], object] = int,
) -> AuditResult:
    """Return the result of a store: the numbers of every section, then the sentences made from them.

    Parameters
    ----------
    criteria
        The criteria of the verdicts; None stands for the default ones.
    advance
        Called before the numbers of each section.
    """
    fields: dict[str, Any] = {
        "criteria": tuple(criteria or default_criteria()),
        "completeness": completeness(readings, record),
        "verifications": record.verifications,
    }
    for section in MEASURED:
        advance()
        fields |= section.numbers(readings, AuditResult.model_construct(**fields))
    measured = AuditResult.model_construct(**fields)
    for section in SECTIONS:
        fields |= section.sentences(measured)
    return AuditResult(**fields)
