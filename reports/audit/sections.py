"""The sections of the page, in its order, and the result that they make together, `audit.json`."""

from reports.audit.comparisons.fields import ComparisonFields
from reports.audit.comparisons.section import COMPARISONS
from reports.audit.faithful_and_stable.section import FAITHFUL_AND_STABLE
from reports.audit.faithfulness.section import FAITHFULNESS
from reports.audit.findings import FINDINGS, FindingFields
from reports.audit.identity_tables import IDENTITY
from reports.audit.limits import LIMITS, UNMEASURED, LimitFields
from reports.audit.localisation import LOCALISATION
from reports.audit.maps import MAPS
from reports.audit.predictions import PREDICTIONS
from reports.audit.randomisation.fields import RandomisationFields
from reports.audit.randomisation.section import RANDOMISATION
from reports.audit.scale import STABILITY
from reports.audit.section import Section
from reports.audit.self_checks import SELF_CHECKS, SelfCheckFields
from reports.audit.sensitivity.fields import SensitivityFields
from reports.audit.sensitivity.section import SENSITIVITY
from reports.audit.summary import SUMMARY, SummaryFields
from reports.audit.threats import THREATS
from reports.audit.transfer import TRANSFER
from reports.audit.verdicts.section import VERDICTS


class AuditResult(
    RandomisationFields,
    SensitivityFields,
    ComparisonFields,
    LimitFields,
    SelfCheckFields,
    SummaryFields,
    FindingFields,
):
    """Everything that the page shows beside its figures."""

    # Fields stand in the order of these classes from the last to the first.
    sha256: str = ""
    """The digest of the file up to this key, see `reports.audit.result_file`."""


REPRODUCE: Section[AuditResult] = Section(id="again", title="Reproduce", heading="How to reproduce", template="again")

SECTIONS: tuple[Section[AuditResult], ...] = (
    SUMMARY,
    FINDINGS,
    UNMEASURED,
    VERDICTS,
    IDENTITY,
    SELF_CHECKS,
    THREATS,
    PREDICTIONS,
    STABILITY,
    TRANSFER,
    FAITHFULNESS,
    FAITHFUL_AND_STABLE,
    RANDOMISATION,
    COMPARISONS,
    SENSITIVITY,
    MAPS,
    LOCALISATION,
    LIMITS,
    REPRODUCE,
)

MEASURED: tuple[Section[AuditResult], ...] = (*(each for each in SECTIONS if each is not VERDICTS), VERDICTS)
"""The sections in the order in which their numbers are made: verdicts come last, since they quote the others."""
