"""The fields of the result that hold criteria and verdicts."""

from reports.audit.reliability import ReliabilityFields
from reports.audit.verdicts.criteria import Criterion
from reports.audit.verdicts.decisions import Outcome
from reports.audit.verdicts.judging import MethodVerdict
from reports.audit.verdicts.multiverse import Multiverse
from reports.audit.verdicts.reasons import ReasonText
from reports.result import ResultModel


class AuditVerdict(ResultModel):
    """The verdict of the audit: the worst over the methods that it is asked about."""

    outcome: Outcome
    methods: tuple[str, ...]
    """The methods that it is asked about."""
    worst: tuple[str, ...]
    """Those whose verdict it is."""


class VerdictFields(ReliabilityFields):
    """Fields that this section adds to the result."""

    criteria: tuple[Criterion, ...]
    method_verdicts: tuple[MethodVerdict, ...]
    """Of every method, controls included, in the order of the methods."""
    multiverses: dict[str, Multiverse]
    """Method -> how its verdict holds under other settings."""
    audit_verdict: AuditVerdict | None
    """None if the run has no methods but controls."""
    reason_codes: tuple[ReasonText, ...]
    """All reasons that a verdict may have, the one that takes precedence first."""
