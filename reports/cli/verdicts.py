"""The command `check`: the verdicts of a run, for a reader, a program or a continuous integration."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.spec.values import closest, shorten_value
from pipeline.store.results import open_results
from pipeline.store.runs import location_of
from reports.audit.readings import Readings
from reports.audit.run_record import record_of
from reports.audit.sections import AuditResult
from reports.audit.summarise import summarise
from reports.audit.threats import conditions
from reports.audit.verdicts.criteria import (
    DEFAULTS,
    Criterion,
    Measured,
    check_criteria_fit,
    default_criteria,
    read_criteria,
)
from reports.audit.verdicts.decisions import SEVERITY, Outcome
from reports.audit.verdicts.evidence import names_of_conditions
from reports.audit.verdicts.fields import AuditVerdict
from reports.audit.verdicts.judging import MethodVerdict, worst_first
from reports.audit.verdicts.section import judge_audit
from reports.audit.verdicts.tables import sentence_of, verdict_table
from reports.cli import consoles
from reports.cli.junit import add_element, refuse_no_file, write_suites
from srd.errors import InputError

EXIT_CODES: Mapping[Outcome, int] = {"PASS": 0, "WARN": 0, "FAIL": 6, "INCONCLUSIVE": 7}

Results = Mapping[str, AuditResult]
"""Name of a subject, or an empty text -> the result of its audit."""


@dataclass(frozen=True)
class Forms:
    """The forms in which verdicts are told."""

    as_json: bool = False
    """Print JSON in place of a table."""
    junit: Path | None = None
    """Write a JUnit file as well."""


def check_runs(folders: Mapping[str, Path], criteria: Path | None, methods: Sequence[str], forms: Forms) -> int:
    """Judge audits as `judge_runs` does, tell the verdicts, and return the exit code of the worst.

    Raises
    ------
    InputError
        If the JUnit file cannot be written.
    """
    if forms.junit:
        refuse_no_file(forms.junit)
    judged = judge_runs(folders, criteria, methods)
    if forms.junit:
        write_junit(judged, forms.junit)
    if forms.as_json:
        consoles.results.print(Text(verdicts_json(judged)))
    else:
        print_verdicts(judged, consoles.results)
    return exit_code_of(judged)


def judge_runs(folders: Mapping[str, Path], criteria: Path | None, methods: Sequence[str]) -> dict[str, AuditResult]:
    """Return the result of each audit by criteria, with the verdict over the named methods.

    Parameters
    ----------
    criteria
        The file of the criteria; None stands for the default ones.
    methods
        The methods that are asked about; all but the controls if none is named.

    Raises
    ------
    SpecError
        If a criterion is on what a run did not measure.
    InputError
        If a method is not in a run.
    """
    return {name: _judge(folder, criteria, methods) for name, folder in folders.items()}


def _judge(folder: Path, criteria: Path | None, methods: Sequence[str]) -> AuditResult:
    store = location_of(folder)
    readings = Readings(open_results(store))
    read = default_criteria() if criteria is None else criteria_of(criteria, readings)
    refuse_unknown_methods(methods, readings.methods, read, folder, criteria)
    result = summarise(readings, record_of(folder, store), read)
    return result.model_copy(update={"audit_verdict": judge_audit(result.method_verdicts, methods)})


def refuse_unknown_methods(
    methods: Sequence[str], known: Sequence[str], criteria: Sequence[Criterion], folder: Path, file: Path | None
) -> None:
    """Refuse methods that a run does not have, or that no criterion is on; `file` is that of the criteria.

    Raises
    ------
    InputError
        For the first such method.
    """
    _refuse_unknown(methods, known, f"is not in the run {folder}")
    judged = [method for method in known if any(each.judges(method) for each in criteria)]
    _refuse_unknown(methods, judged, f"no criterion of {file or DEFAULTS} is on it")


def _refuse_unknown(methods: Iterable[str], known: Iterable[str], fault: str) -> None:
    names = list(known)
    for method in methods:
        if method not in names:
            raise InputError(f"--method {shorten_value(method)}: {fault}; {closest(method, names)}")


def criteria_of(file: Path, readings: Readings) -> tuple[Criterion, ...]:
    """Return the criteria of a file, all of them on what the run measured.

    Raises
    ------
    SpecError
        If one is not.
    """
    criteria, names = read_criteria(file), names_of_conditions(conditions(readings))
    measured = Measured(readings.methods, names, len(readings.image_ids), readings.has_masks,
                        len(readings.qualities.redraws))  # fmt: skip
    check_criteria_fit(criteria, str(file), measured)
    return criteria


def exit_code_of(results: Results) -> int:
    """Return the exit code of the worst verdict."""
    verdicts = [result.audit_verdict.outcome for result in results.values() if result.audit_verdict]
    return EXIT_CODES[max(verdicts, key=SEVERITY.index)] if verdicts else EXIT_CODES["INCONCLUSIVE"]


def print_verdicts(results: Results, console: Console) -> None:
    """Print the verdict of each audit, and the table of its methods."""
    for name, result in results.items():
        shown = verdict_table("", worst_first(result.method_verdicts), result)
        table = Table(*shown.header, title=name or None)
        for row in shown.rows:
            table.add_row(*(Text("\n".join(filter(None, (cell.text, cell.detail)))) for cell in row))
        console.print(table)
        console.print(Text(f"{f'{name}: ' if name else ''}{verdict_in_words(result)}"))


def verdict_in_words(result: AuditResult) -> str:
    """Return the verdict of an audit, with the sentence on its worst method."""
    verdict = result.audit_verdict
    if verdict is None:
        return "INCONCLUSIVE: no criterion is on a method that is asked about"
    worst = next(each for each in result.method_verdicts if each.method == verdict.worst[0])
    return f"{verdict.outcome}: {sentence_of(worst, result)}"


def verdicts_json(results: Results) -> str:
    """Return the verdicts as JSON, by subject, or those of a single audit alone."""
    facts = {name: _facts(result) for name, result in results.items()}
    return json.dumps(facts.get("", facts), indent=1)


def _facts(result: AuditResult) -> dict[str, object]:
    fields = {"audit_verdict", "criteria", "method_verdicts", "multiverses", "reason_codes"}
    return {
        "schema_version": result.schema_version,
        "fingerprint": result.identity.fingerprint,
        **result.model_dump(mode="json", include=fields),
    }


def write_junit(results: Results, path: Path) -> None:
    """Write the verdicts as a JUnit file: a suite for each audit, a case for each method and criterion.

    A missed criterion is a failure; one that the images do not decide is an error.
    """
    root = ElementTree.Element("testsuites")
    for name, result in results.items():
        _add_suite(root, name or "audit", result)
    write_suites(root, path)


def _add_suite(root: ElementTree.Element, name: str, result: AuditResult) -> None:
    verdict: AuditVerdict | None = result.audit_verdict
    asked = verdict.methods if verdict else ()
    judged = [each for each in result.method_verdicts if each.method in asked]
    suite = add_element(root, "testsuite", {"name": name})
    outcomes = [outcome for each in judged for outcome in _add_cases(suite, each, result)]
    suite.set("tests", str(len(outcomes)))
    suite.set("failures", str(outcomes.count("FAIL")))
    suite.set("errors", str(outcomes.count("INCONCLUSIVE")))


def _add_cases(suite: ElementTree.Element, verdict: MethodVerdict, result: AuditResult) -> Iterable[Outcome]:
    for each in verdict.criteria:
        decision, criterion = each.decided_by, result.criteria[each.criterion]
        case = add_element(suite, "testcase", {"classname": verdict.method, "name": criterion.sentence})
        alone = verdict.model_copy(update={"criteria": (each,), "decided_by": 0, "outcome": decision.outcome,
                                           "reason": decision.reason})  # fmt: skip
        tag = {"FAIL": "failure", "INCONCLUSIVE": "error"}.get(decision.outcome)
        if tag:
            add_element(case, tag, {"message": sentence_of(alone, result), "type": decision.reason.value})
        yield decision.outcome
