"""The command `verify` with the user's word for the code. It imports torch: only the command imports it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from pipeline.execution.job import Job
from pipeline.spec.audit import load_spec
from pipeline.spec.comparison import load_audits
from pipeline.spec.model import ModelSpec
from pipeline.spec.settings import Setting
from pipeline.store.location import Location
from pipeline.store.runs import audits_in, home_of, location_of
from pipeline.store.store import NAME, attributes
from pipeline.verification.findings import Verification, delete_verifications, write_verification
from pipeline.verification.verifying import verify
from reports.audit.report import write_report
from reports.audit.result_file import check_result_file
from reports.cli.checking import print_digests, refuse_findings, withdraw
from reports.runs import PAGE, refuse_missing
from srd.errors import InputError, StoreError, VerificationError

COLUMNS = ("stage", "variable", "tasks", "same bytes", "equal values", "largest difference")
Jobs = Mapping[Path, Job]
"""The folder of each audit of a run, and the job that makes it again."""


@dataclass(frozen=True)
class Request:
    """How many tasks of each stage are done again, drawn by which seed, and what becomes of damaged ones.

    With `repair` their receipts are withdrawn. No report can be made before they are done again.
    """

    sample: int
    seed: int
    repair: bool


def jobs_of_spec(spec: Path, folder: Path, settings: Sequence[Setting] = (), trusted: tuple[Path, ...] = ()) -> Jobs:
    """Return the jobs of the user's own spec, as settings change it. The copy of a spec in the folder is not read.

    Raises
    ------
    SpecError
        If the spec cannot be run.
    StoreError
        If its run is to lie in the folder, and there is none.
    """
    base, home = spec.parent.resolve(), home_of(spec, folder)
    audits = load_audits(spec, settings)
    if home == Location(str(folder)):
        refuse_missing(folder)
    if not audits:
        return {folder: Job(load_spec(spec, settings), base, home / NAME, trusted=trusted)}
    return {folder / name: Job(audit, base, home / name / NAME, trusted=trusted) for name, audit in audits.items()}


def jobs_of_source(folder: Path, source: Path, trusted: tuple[Path, ...] = ()) -> Jobs:
    """Return the jobs of the specs in the stores of a run. Their relative paths start at the user's folder `source`.

    Raises
    ------
    InputError
        If there is no such folder.
    StoreError
        If there is no store, or its network is no file below `source`.
    """
    if not source.is_dir():
        raise InputError(f"--source {source}: no such folder; name the one at which paths of the spec start")
    base, jobs = source.resolve(), {}
    for home in tuple(audits_in(folder).values()) or (folder,):
        store = location_of(home)
        spec = attributes(store).fingerprinted.spec
        _refuse_code_elsewhere(spec.model, base)
        jobs[home] = Job(spec, base, store, trusted=trusted)
    return jobs


def verify_jobs(jobs: Jobs, request: Request, console: Console) -> None:
    """Verify each audit of a run, print the findings, keep them and write them into the report.

    Raises
    ------
    VerificationError
        If tasks are damaged, or repeated tasks made other bytes.
    IncompleteRun
        If tasks are missing, or are missing after the repair.
    """
    for folder in jobs:
        check_result_file(folder)
    found = {folder: _verify_audit(folder, job, request, console) for folder, job in jobs.items()}
    for folder, each in found.items():
        if not each.damaged and not each.is_kept:
            raise VerificationError(f"{folder}: {_breach_in_words(each)}")
        refuse_findings(folder, each.damaged, each.planned - each.done, request.repair)


def _refuse_code_elsewhere(model: ModelSpec, source: Path) -> None:
    scheme, _, _ = model.spec.partition(":")
    file, _, _ = model.spec.rpartition(":")
    is_below = file.endswith(".py") and (source / file).resolve().is_relative_to(source)
    if scheme != "demo" and not is_below:
        raise StoreError(
            f"model.spec = {model.spec!r} in the store is no file below --source {source}; verify your own spec"
        )


def _verify_audit(folder: Path, job: Job, request: Request, console: Console) -> Verification:
    found = verify(job, request.sample, request.seed)
    print_digests(folder, found.done, found.damaged, console)
    if found.damaged:
        delete_verifications(folder)
        console.print(Text("no task was done again: the damage comes first"))
    else:
        _print_repetitions(found, console)
    if found.damaged and request.repair:
        withdraw(job.store, found.damaged)
    else:
        write_verification(folder, found)
    if not found.damaged and (folder / PAGE).exists():
        write_report(folder)
    return found


def _print_repetitions(found: Verification, console: Console) -> None:
    console.print(Text(f"done again on {found.hardware}:"))
    if found.unlike:
        console.print(Text(f"the store was made elsewhere ({', '.join(found.unlike)}): equal bytes are not promised"))
    for stage in found.other_sources:
        console.print(Text(f"{stage}: no task was done again, its sources are not those that made the store"))
    table = Table(*(Column(name, overflow="fold") for name in COLUMNS))
    for each in found.repetitions:
        largest = "not finite" if each.largest is None else f"{each.largest:.2g}"
        table.add_row(each.stage, each.variable, str(each.tasks), str(each.same), f"{each.equal:.2%}", largest)
    console.print(table)


def _breach_in_words(found: Verification) -> str:
    others = {each.variable for each in found.repetitions if each.same < each.tasks}
    return (
        f"tasks done again made other bytes ({', '.join(sorted(others))}), on the class of machine that promised them"
    )
