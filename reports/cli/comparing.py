"""The command `compare`. Seaborn takes two seconds to import: only commands that draw import this module."""

from collections.abc import Sequence
from pathlib import Path

from rich.text import Text

from reports.cli.consoles import messages, results
from reports.cli.output_options import print_json
from reports.cli.paths import print_path
from reports.comparison.page import compare
from reports.runs import PAGE


def compare_runs(audits: Sequence[Path], folder: Path, as_json: bool) -> None:
    """Write the page that compares audits, tell what changed between two, and print the path of the page.

    Parameters
    ----------
    as_json
        Print the change and the path as one object.
    """
    found = compare(audits, folder)
    if as_json:
        change = found.change.model_dump(mode="json") if found.change else None
        print_json(results, {"report": str(folder / PAGE), "change": change, "not_paired": found.unpaired})
        return
    for sentence in (*found.change.summary, *found.change.notes) if found.change else ():
        messages.print(Text(sentence))
    for fault in found.unpaired:
        messages.print(Text(f"not compared image by image: {fault}"))
    print_path(folder / PAGE)
