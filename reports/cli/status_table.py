"""The command `status`: what is done, what is missing, and what has failed, of each audit of a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.store.runs import audits_in, location_of
from pipeline.store.store import failures, progress


@dataclass(frozen=True)
class AuditStatus:
    """The tasks of an audit."""

    stages: Mapping[str, tuple[int, int]]
    """Stage -> the numbers of tasks that are done and that are planned."""
    failures: Mapping[str, str]
    """Task -> why it failed when it was last tried."""

    @property
    def is_complete(self) -> bool:
        """Return whether no task is missing."""
        return all(done >= planned for done, planned in self.stages.values())


@dataclass(frozen=True)
class RunStatus:
    """The tasks of a run."""

    folder: Path
    audits: Mapping[str, AuditStatus]
    """By subject; that of a single audit is an empty text."""

    @property
    def is_complete(self) -> bool:
        """Return whether no task of any audit is missing."""
        return all(audit.is_complete for audit in self.audits.values())

    def as_table(self) -> dict[str, Any]:
        """Return the status as JSON tells it."""
        audits = [
            {
                "subject": name,
                "stages": {stage: {"done": done, "planned": planned} for stage, (done, planned) in each.stages.items()},
                "failures": dict(each.failures),
            }
            for name, each in self.audits.items()
        ]
        return {"folder": str(self.folder), "is_complete": self.is_complete, "audits": audits}


def status_of(folder: Path) -> RunStatus:
    """Return the tasks of each stage and the failures of each audit of a run."""
    stores = {name: location_of(path) for name, path in (audits_in(folder) or {"": folder}).items()}
    return RunStatus(
        folder,
        {
            name: AuditStatus(progress(store), {key: each.error for key, each in failures(store).items()})
            for name, store in stores.items()
        },
    )


def print_status(status: RunStatus, console: Console) -> None:
    """Print the tasks of each stage and the failures of each audit."""
    for name, audit in status.audits.items():
        table = Table("stage", "done", "planned", "missing", title=name or None)
        for stage, (done, planned) in audit.stages.items():
            table.add_row(stage, str(done), str(planned), str(planned - done))
        console.print(table)
        for key, error in audit.failures.items():
            console.print(Text(f"{key}: {error}"))
