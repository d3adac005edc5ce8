"""The command `verify` on a folder alone: its bytes are checked, and no code that it names is imported."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from pipeline.store.location import Location
from pipeline.store.runs import audits_in, location_of
from pipeline.store.store import Store
from pipeline.verification.findings import delete_verifications
from pipeline.verification.stored_bytes import check_bytes
from reports.audit.result_file import check_result_file
from srd.errors import IncompleteRun, VerificationError

NOT_RECOMPUTED = "not recomputed; authorship unproven: name your own spec, or --source DIR"

Damaged = Sequence[tuple[str, str]]
"""The keys of damaged tasks, with what is wrong."""


def check_run(folder: Path, repair: bool, console: Console) -> None:
    """Check what is stored of each audit of a run against its receipts, and print what was found.

    Parameters
    ----------
    repair
        Withdraw the receipts of damaged tasks.

    Raises
    ------
    VerificationError, IncompleteRun
        As `refuse_findings` does.
    """
    homes = tuple(audits_in(folder).values()) or (folder,)
    for home in homes:
        check_result_file(home)
    found = {home: check_bytes(location_of(home)) for home in homes}
    for home, each in found.items():
        print_digests(location_of(home), len(each.done), each.damaged, console)
        if each.damaged:
            delete_verifications(home)
        if each.damaged and repair:
            withdraw(location_of(home), each.damaged)
    console.print(Text(NOT_RECOMPUTED))
    for home, each in found.items():
        refuse_findings(home, each.damaged, each.planned - len(each.done), repair)


def print_digests(place: object, done: int, damaged: Damaged, console: Console) -> None:
    """Print how many tasks hold what their receipts say, and what is wrong with the others."""
    console.print(Text(f"{place}: {done - len(damaged)} of {done} tasks hold what their receipts say"))
    for _, damage in damaged:
        console.print(Text(damage))


def withdraw(location: Location, damaged: Damaged) -> None:
    """Withdraw the receipts of damaged tasks, which the next run does again."""
    Store(location).receipts.withdraw(key for key, _ in damaged)


def refuse_findings(folder: Path, damaged: Damaged, missing: int, repair: bool) -> None:
    """Refuse a run of which tasks are damaged or missing.

    Raises
    ------
    VerificationError
        If tasks are damaged.
    IncompleteRun
        If tasks are missing, or are missing after the repair.
    """
    if damaged and repair:
        raise IncompleteRun(f"{folder}: {len(damaged)} tasks are to be done again; run the same spec")
    if damaged:
        way_out = "`--repair` has them done again by the next run"
        raise VerificationError(f"{folder}: {len(damaged)} tasks are damaged; {way_out}")
    if missing:
        raise IncompleteRun(f"{folder}: {missing} tasks are missing; run the same spec")
