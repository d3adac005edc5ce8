"""From a store's Dataset to the result of the audit."""

from reports import findings, gallery, identity, limits, measurements
from reports.readings import Readings
from reports.record import Record
from reports.result import AuditResult
from reports.searches import searches
from reports.transfer import transfer


def summarise(readings: Readings, record: Record) -> AuditResult:
    """The result of a store."""
    conditions = identity.conditions(readings)
    stability = measurements.stability(readings)
    searched = searches(readings, conditions)
    cases, overview = gallery.cases(readings, conditions), gallery.overview(readings)
    measured = AuditResult(
        summary=(),
        identity=identity.identity(readings),
        completeness=identity.completeness(readings, record),
        verifications=record.verifications,
        statistics=identity.policy(),
        certificates=identity.certificates(readings),
        methods=identity.methods(readings),
        perturbations=identity.perturbations(readings),
        conditions=conditions,
        accuracy=measurements.accuracy(readings),
        stability=stability,
        references=measurements.references(readings),
        reference_meanings=readings.attributes.references,
        notes={},
        transfer=transfer(readings, conditions, stability, searched),
        searches=searched,
        evidence=readings.attributes.evidence,
        quality=measurements.quality(readings),
        mask_share=measurements.mask_share(readings),
        cases=cases,
        overview=overview,
        gallery=gallery.selection(readings, cases, overview),
        not_measured=(),
        limits=(),
    )
    return measured.model_copy(update=_sentences(measured))


def _sentences(measured: AuditResult) -> dict[str, object]:
    return {
        "summary": findings.summary(measured),
        "notes": findings.notes(measured),
        "not_measured": limits.not_measured(measured),
        "limits": limits.limits(measured),
    }
