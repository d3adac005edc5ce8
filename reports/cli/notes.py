"""The notes that every command prints before it works: on the input, and on methods that do not keep their law."""

from collections.abc import Iterable

from rich.console import Console

from pipeline.store.attributes import CheckResult, caveats_of
from reports.formatting import method_title


def print_notes(console: Console, notes: Iterable[str], checks: Iterable[CheckResult] = ()) -> None:
    """Print the notes on the input, and the caveats of methods, which stand beside all their numbers."""
    caveats = (f"{method_title(method)}: {caveat}" for method, caveat in caveats_of(checks).items())
    for note in (*notes, *caveats):
        console.print(note, markup=False)
