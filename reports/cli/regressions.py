"""The command `check --against`: whether a run is worse than an older one by any criterion."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

from rich.text import Text

from pipeline.store.results import open_results
from pipeline.store.runs import location_of
from reports.audit.readings import Readings
from reports.audit.verdicts.criteria import Criterion, default_criteria
from reports.cli import consoles
from reports.cli.junit import add_element, refuse_no_file, write_suites
from reports.cli.output_options import print_json
from reports.cli.verdicts import EXIT_CODES, Forms, criteria_of, refuse_unknown_methods
from reports.comparison.change_result import Change, CriterionChange, RunOutcome
from reports.comparison.change_words import sentence_of_change
from reports.comparison.pairing import faults_of_pairing
from reports.comparison.summarise import change_of, names_of_runs, read_audit
from srd.errors import InputError

CODES: Mapping[RunOutcome, int] = {
    "NO REGRESSION": 0,
    "INCONCLUSIVE": EXIT_CODES["INCONCLUSIVE"],
    "REGRESSION": EXIT_CODES["FAIL"],
}
Changes = Mapping[str, Change]
"""Name of a subject, or an empty text -> what changed."""


def check_against(
    folders: Mapping[str, Path], older: Sequence[Path], criteria: Path | None, methods: Sequence[str], forms: Forms
) -> int:
    """Tell what changed from older audits to those of a run, and return the exit code of the worst.

    Raises
    ------
    InputError
        If the runs cannot be compared image by image, or have other subjects.
    """
    if forms.junit:
        refuse_no_file(forms.junit)
    changes = {
        name: _change(before, after, criteria, methods) for name, (before, after) in _pairs(folders, older).items()
    }
    if forms.junit:
        _write_junit(changes, forms.junit)
    if forms.as_json:
        told = {name: each.model_dump(mode="json") for name, each in changes.items()}
        print_json(consoles.results, told.get("", told))
    else:
        _print(changes)
    return max((CODES[each.outcome] for each in changes.values()), key=list(CODES.values()).index)


def _pairs(folders: Mapping[str, Path], older: Sequence[Path]) -> dict[str, tuple[Path, Path]]:
    """Return name of a subject -> the folders of its audit in the older run and in this one."""
    if len(folders) == len(older) == 1:
        return {name: (older[0], folder) for name, folder in folders.items()}
    by_name = {folder.name: folder for folder in older}
    if set(by_name) != set(folders):
        told = " and ".join(", ".join(name or "one network" for name in names) for names in (folders, by_name))
        raise InputError(f"--against {older[0].parent}: has other subjects ({told}); name an audit of each")
    return {name: (by_name[name], folder) for name, folder in folders.items()}


def _change(before: Path, after: Path, criteria: Path | None, methods: Sequence[str]) -> Change:
    names, judged_by = names_of_runs((before, after)), _criteria(after, criteria, methods)
    older, newer = (read_audit(*each, judged_by) for each in zip(names, (before, after), strict=True))
    faults = faults_of_pairing(older, newer)
    if faults:
        raise InputError(f"--against {before}: cannot be compared with {after}: {'; '.join(faults)}")
    return change_of(older, newer, methods)


def _criteria(folder: Path, file: Path | None, methods: Sequence[str]) -> tuple[Criterion, ...]:
    readings = Readings(open_results(location_of(folder)))
    criteria = default_criteria() if file is None else criteria_of(file, readings)
    refuse_unknown_methods(methods, readings.methods, criteria, folder, file)
    return criteria


def _print(changes: Changes) -> None:
    for name, change in changes.items():
        for sentence in (*change.notes, *change.summary[1:], change.summary[0]):
            consoles.results.print(Text(f"{f'{name}: ' if name else ''}{sentence}"))


def _write_junit(changes: Changes, path: Path) -> None:
    """Write a suite for each audit, a case for each comparison: worse is a failure, what is open an error."""
    root = ElementTree.Element("testsuites")
    for name, change in changes.items():
        suite = add_element(root, "testsuite", {"name": name or "audit"})
        tags = list(_add_cases(suite, change))
        counts = {"tests": len(tags), "failures": tags.count("failure"), "errors": tags.count("error")}
        for key, number in counts.items():
            suite.set(key, str(number))
    write_suites(root, path)


def _add_cases(suite: ElementTree.Element, change: Change) -> Iterable[str]:
    for each in change.changes:
        criterion = change.criteria[each.criterion]
        named = f"{criterion.quantity.title} {each.condition}".rstrip()
        case = add_element(suite, "testcase", {"classname": each.method, "name": named})
        tag = {"WORSE": "failure", "UNDECIDED": "error", "NOT COMPARED": "error"}.get(each.outcome, "")
        if tag:
            add_element(case, tag, {"message": _message(each, criterion), "type": each.outcome})
        yield tag


def _message(change: CriterionChange, criterion: Criterion) -> str:
    return change.reason if change.outcome == "NOT COMPARED" else sentence_of_change(change, criterion)
