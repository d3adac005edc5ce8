"""The step from the stores of several audits to the result of their comparison."""

from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path

from pipeline.store.results import open_results
from pipeline.store.runs import location_of
from reports import statistics
from reports.audit.readings import Readings
from reports.audit.run_record import record_of
from reports.audit.summarise import summarise as summarise_audit
from reports.audit.verdicts.criteria import Criterion
from reports.comparison import findings
from reports.comparison.audits import Audit, columns_of
from reports.comparison.change import find_change
from reports.comparison.change_result import Change
from reports.comparison.change_words import summarise_change
from reports.comparison.difference import differences
from reports.comparison.networks import differing_settings, kept_predictions, network_facts
from reports.comparison.pairing import faults_of_pairing
from reports.comparison.result import ComparisonResult
from reports.comparison.stability import calibrated_stabilities, similarities
from srd.errors import InputError


def summarise(folders: Sequence[Path], home: Path) -> ComparisonResult:
    """Return the comparison of finished audits, for a page in `home`.

    Raises
    ------
    InputError
        If a folder is given twice.
    """
    audits = _read(folders)
    faults = faults_of_pairing(audits[0], audits[1]) if len(audits) == 2 else ()
    compared = ComparisonResult(
        summary=(),
        statistics=statistics.policy(),
        networks=tuple(network_facts(audit, folder, home) for audit, folder in zip(audits, folders, strict=True)),
        columns=columns_of([audit.result for audit in audits]),
        kept=tuple(row for audit in audits for row in kept_predictions(audit)),
        similarities=tuple(row for audit in audits for row in similarities(audit)),
        calibrated=tuple(row for audit in audits for row in calibrated_stabilities(audit)),
        differences=tuple(row for audit in audits for row in differences(audit)),
        reference_meanings={name: text for audit in audits for name, text in audit.result.reference_meanings.items()},
        unlike=tuple(differing_settings(audits)),
        limits=(),
        change=change_of(audits[0], audits[1]) if len(audits) == 2 and not faults else None,
        unpaired=faults,
    )
    sentences = {"summary": tuple(findings.summary(compared)), "limits": tuple(findings.limits(compared))}
    return compared.model_copy(update=sentences)


def change_of(before: Audit, after: Audit, methods: Iterable[str] = ()) -> Change:
    """Return what changed from one audit to another, with the sentences that say it."""
    change = find_change(before, after, methods)
    return change.model_copy(update={"summary": summarise_change(change)})


def read_audit(name: str, folder: Path, criteria: Sequence[Criterion] | None = None) -> Audit:
    """Return the audit in a folder, judged by criteria; None stands for the default ones."""
    store = location_of(folder)
    readings = Readings(open_results(store))
    return Audit(name, readings, summarise_audit(readings, record_of(folder, store), criteria))


def names_of_runs(folders: Sequence[Path]) -> list[str]:
    """Return the shortest ends of the paths by which they differ.

    Raises
    ------
    InputError
        If a folder is given twice.
    """
    paths = [folder.resolve() for folder in folders]
    for path in paths:
        if paths.count(path) > 1:
            raise InputError(f"{path}: stands twice among the runs; name it once")
    ends = (["/".join(path.parts[-depth:]) for path in paths] for depth in count(1))
    return next(names for names in ends if len(set(names)) == len(names))


def _read(folders: Sequence[Path]) -> list[Audit]:
    """Return the audits in these folders, each with its name on the page."""
    return [read_audit(name, folder) for name, folder in zip(names_of_runs(folders), folders, strict=True)]
