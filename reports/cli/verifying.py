"""The command `verify`. It imports torch, so only the command that needs it imports this module."""

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from pipeline.execution.job import Job
from pipeline.execution.logs import spec_folder
from pipeline.spec.audit import load_spec
from pipeline.spec.comparison import load_audits
from pipeline.store.store import Store
from pipeline.verification.findings import Verification, delete_verifications, write_verification
from pipeline.verification.verifying import verify
from reports.audit.report import write_report
from reports.runs import PAGE, SPEC_COPY, folder_of, location_of
from srd.errors import IncompleteRun, VerificationError

COLUMNS = ("stage", "variable", "tasks", "same bytes", "equal values", "largest difference")


def verify_run(run: Path, sample: int, seed: int, repair: bool, console: Console) -> None:
    """Verify each audit of a run, print the findings, keep them and write them into the report.

    Parameters
    ----------
    repair
        Withdraw the receipts of damaged tasks. No report can be made before these are done again.

    Raises
    ------
    VerificationError
        If tasks are damaged, or repeated tasks made other bytes.
    IncompleteRun
        If tasks are missing, or are missing after the repair.
    """
    found = {folder: _verify_audit(folder, job, sample, seed, repair, console) for folder, job in _jobs(run)}
    for folder, each in found.items():
        if each.damaged and repair:
            raise IncompleteRun(f"{folder}: {len(each.damaged)} tasks are to be done again; run the same spec")
        if not each.is_kept:
            raise VerificationError(f"{folder}: {_breach_in_words(each)}")
        if each.done < each.planned:
            raise IncompleteRun(f"{folder}: {each.planned - each.done} tasks are missing; run the same spec")


def _jobs(run: Path) -> Iterator[tuple[Path, Job]]:
    """Return the folder of each audit of a run, and the job that made it."""
    folder = folder_of(run)
    spec = folder / SPEC_COPY
    audits = {folder / name: audit for name, audit in load_audits(spec).items()} or {folder: load_spec(spec)}
    for home, audit in audits.items():
        yield home, Job(audit, spec_folder(home), location_of(home))


def _verify_audit(folder: Path, job: Job, sample: int, seed: int, repair: bool, console: Console) -> Verification:
    found = verify(job, sample, seed)
    _print_findings(folder, found, console)
    if repair and found.damaged:
        delete_verifications(folder)
        Store(job.store).receipts.withdraw(key for key, _ in found.damaged)
    else:
        write_verification(folder, found)
    if not found.damaged and (folder / PAGE).exists():
        write_report(folder)
    return found


def _print_findings(folder: Path, found: Verification, console: Console) -> None:
    digests = f"{found.done - len(found.damaged)} of {found.done} tasks hold what their receipts say"
    console.print(Text(f"{folder}: {digests}; done again on {found.hardware}:"))
    for _, damage in found.damaged:
        console.print(Text(damage))
    if found.unlike:
        console.print(Text(f"the store was made elsewhere ({', '.join(found.unlike)}): equal bytes are not promised"))
    table = Table(*(Column(name, overflow="fold") for name in COLUMNS))
    for each in found.repetitions:
        largest = "not finite" if each.largest is None else f"{each.largest:.2g}"
        table.add_row(each.stage, each.variable, str(each.tasks), str(each.same), f"{each.equal:.2%}", largest)
    console.print(table)


def _breach_in_words(found: Verification) -> str:
    if found.damaged:
        return f"{len(found.damaged)} tasks are damaged; `--repair` has them done again by the next run"
    others = {each.variable for each in found.repetitions if each.same < each.tasks}
    return (
        f"tasks done again made other bytes ({', '.join(sorted(others))}), on the class of machine that promised them"
    )
