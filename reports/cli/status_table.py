"""The command `status`: what is done, what is missing, and what has failed, of each audit of a run."""

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.store.runs import audits_in, location_of
from pipeline.store.store import failures, progress


def print_status(folder: Path, console: Console) -> bool:
    """Print the tasks of each stage and the failures of each audit, and return whether the run is finished."""
    stores = {name: location_of(path) for name, path in (audits_in(folder) or {"": folder}).items()}
    counts = {name: progress(store) for name, store in stores.items()}
    for name, stages in counts.items():
        table = Table("stage", "done", "planned", "missing", title=name or None)
        for stage, (done, planned) in stages.items():
            table.add_row(stage, str(done), str(planned), str(planned - done))
        console.print(table)
        for key, failure in failures(stores[name]).items():
            console.print(Text(f"{key}: {failure.error}"))
    return all(done >= planned for stages in counts.values() for done, planned in stages.values())
