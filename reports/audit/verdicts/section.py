"""The section on how verdicts were made, and the tables of them, which stand at the top of the page."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from reports.audit.estimates import frame_of_rows
from reports.audit.readings import Readings
from reports.audit.section import Fields, Pictures, Section
from reports.audit.verdicts.evidence import Evidence
from reports.audit.verdicts.fields import AuditVerdict, VerdictFields
from reports.audit.verdicts.judging import MethodVerdict, judge_methods, worst_first, worst_outcome
from reports.audit.verdicts.multiverse import FRAGILE, explore
from reports.audit.verdicts.reasons import reason_texts
from reports.audit.verdicts.tables import criteria_table, note_sentences, sentence_of, undefined_table, verdict_table
from reports.cells import Table
from reports.families import is_control
from reports.formatting import counts_in_words, enumeration, method_title, plural
from reports.page import Exhibit

INTRODUCTION = (
    "A method passes if it meets every criterion. The interval of a value has two one-sided 95 % bounds, so that it is "
    "a 90 % interval. A criterion is met if all of the interval is as asked, and missed if none of it is; else the "
    "images do not decide. Under attack means under every reliable attack on the method itself."
)
FRAGILITY = (
    "Each verdict was made again under other settings that were declared beforehand: another similarity of maps, only "
    "the images whose prediction was kept, more or fewer misses allowed, a narrower or wider blur in place of removed "
    f"pixels. Below {100 * FRAGILE:.0f} % agreement it is called fragile."
)


def measure_verdicts(readings: Readings, result: VerdictFields) -> Fields:
    """Return the fields of the verdicts by the criteria of a result."""
    evidence = Evidence(readings, result.methods, result.conditions, result.verdicts)
    verdicts = judge_methods(evidence, result.criteria, readings.methods)
    return {
        "method_verdicts": verdicts,
        "multiverses": explore(evidence, result.criteria, verdicts),
        "audit_verdict": judge_audit(verdicts),
        "reason_codes": reason_texts(),
    }


def judge_audit(verdicts: Iterable[MethodVerdict], methods: Iterable[str] = ()) -> AuditVerdict | None:
    """Return the verdict over some methods, by default over all but the controls; None if there is none."""
    named = set(methods)
    asked = [each for each in verdicts if (each.method in named if named else not is_control(each.method))]
    if not asked:
        return None
    outcome = worst_outcome(asked)
    worst = (each.method for each in worst_first(asked) if each.outcome == outcome)
    return AuditVerdict(outcome=outcome, methods=tuple(each.method for each in asked), worst=tuple(worst))


def verdict_sentences(result: VerdictFields) -> tuple[str, ...]:
    """Return the verdict of the audit, and that of the worst method with its reason, as sentences."""
    verdict = result.audit_verdict
    if verdict is None:
        return ("There is no verdict: the run explains with controls alone.",)
    worst = next(each for each in result.method_verdicts if each.method == verdict.worst[0])
    whose = enumeration(method_title(method) for method in verdict.worst)
    return (
        f"{verdict.outcome}: {whose}, {len(verdict.worst)} of {plural(len(verdict.methods), 'method')}.",
        sentence_of(worst, result),
    )


def verdict_tables(result: VerdictFields) -> tuple[Table, ...]:
    """Return the table of the verdicts, the worst first, and that of the controls, where there are some."""
    asked = [each for each in result.method_verdicts if not is_control(each.method)]
    controls = [each for each in result.method_verdicts if is_control(each.method)]
    captions = (("Verdicts, the worst first", asked), ("Verdicts on the controls, which should fail", controls))
    return tuple(verdict_table(caption, worst_first(verdicts), result) for caption, verdicts in captions if verdicts)


def _body(result: VerdictFields, _: Pictures) -> Mapping[str, Any]:
    shown = (criteria_table(result.method_verdicts, result), undefined_table(result.method_verdicts, result))
    tables = tuple(table for table in shown if table.rows)
    reasons = (f"{criterion.sentence}: {criterion.why}" for criterion in result.criteria)
    return {
        "paragraphs": (INTRODUCTION, FRAGILITY, *note_sentences(result.method_verdicts, result)),
        "exhibits": tuple(Exhibit(None, (table,)) for table in tables),
        "items": tuple(reasons),
    }


def _frames(result: VerdictFields) -> Mapping[str, pd.DataFrame]:
    rows = [
        {
            "method": verdict.method,
            "criterion": result.criteria[each.criterion].sentence,
            "metric": result.criteria[each.criterion].metric,
            **decision.model_dump(mode="json", exclude={"undefined_reasons"}),
            "undefined_reasons": counts_in_words(decision.undefined_reasons),
        }
        for verdict in result.method_verdicts
        for each in verdict.criteria
        for decision in each.decisions
    ]
    return {"verdicts": frame_of_rows(rows, ("method", "criterion", "metric"))}


VERDICTS: Section[VerdictFields] = Section(
    id="verdicts",
    title="Verdicts",
    heading="How the verdicts were made",
    body=_body,
    numbers=measure_verdicts,
    frames=_frames,
)
