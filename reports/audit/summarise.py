"""From a store's Dataset to the result of the audit."""

from typing import Any

from reports.audit.audited import completeness
from reports.audit.readings import Readings
from reports.audit.record import Record
from reports.audit.sections import SECTIONS, AuditResult


def summarise(readings: Readings, record: Record) -> AuditResult:
    """Return the result of a store: what every section measures, then what it says of all numbers."""
    fields: dict[str, Any] = {
        "completeness": completeness(readings, record),
        "verifications": record.verifications,
    }
    for section in SECTIONS:
        fields |= section.numbers(readings, AuditResult.model_construct(**fields))
    measured = AuditResult.model_construct(**fields)
    for section in SECTIONS:
        fields |= section.sentences(measured)
    return AuditResult(**fields)
