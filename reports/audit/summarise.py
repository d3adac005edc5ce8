"""The step from the readings of a store to the result of the audit."""

from collections.abc import Callable
from typing import Any

from reports.audit.identity_tables import completeness
from reports.audit.readings import Readings
from reports.audit.run_record import RunRecord
from reports.audit.sections import SECTIONS, AuditResult


def summarise(readings: Readings, record: RunRecord, advance: Callable[[], object] = int) -> AuditResult:
    """Return the result of a store: the numbers of every section, then the sentences made from them.

    `advance` is called before the numbers of each section.
    """
    fields: dict[str, Any] = {
        "completeness": completeness(readings, record),
        "verifications": record.verifications,
    }
    for section in SECTIONS:
        advance()
        fields |= section.numbers(readings, AuditResult.model_construct(**fields))
    measured = AuditResult.model_construct(**fields)
    for section in SECTIONS:
        fields |= section.sentences(measured)
    return AuditResult(**fields)
