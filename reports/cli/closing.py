"""The end of a run: the verdict on each of its audits, its report, and what to do next."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from shlex import quote
from typing import Any

from rich.text import Text

from pipeline.store.runs import audits_in
from reports.audit.result_file import RESULT
from reports.cli.consoles import messages, results
from reports.cli.endings import Ending
from reports.cli.output_options import print_json

NONE = "INCONCLUSIVE"


def print_endings(folder: Path, page: Path, endings: Sequence[Ending], as_json: bool) -> None:
    """Print the path of the report of a run alone on standard output, verdicts and the next step beside it.

    Parameters
    ----------
    as_json
        Print all of it as one object on standard output.
    """
    if as_json:
        print_json(results, _as_table(folder, page, endings))
        return
    for each in endings:
        messages.print(Text(f"verdict  {f'{each.subject}: ' if each.subject else ''}{each.sentence}"))
    results.print(Text(str(page)))
    messages.print(Text(f"next     {next_step(folder)}"))


def next_step(folder: Path) -> str:
    """Return the command that a reader of a report needs next."""
    return f"srd-audit check {quote(str(folder))} is the gate; with --against OLDER it tells what became worse"


def endings_of(folder: Path) -> Iterator[Ending]:
    """Yield the end of each audit of a run, as its audit.json tells it."""
    from reports.audit.sections import AuditResult  # seconds, which a run that has nothing to do need not pay
    from reports.cli.verdicts import verdict_in_words

    for subject, home in (audits_in(folder) or {"": folder}).items():
        file = home / RESULT
        result = AuditResult.model_validate_json(file.read_bytes())
        outcome = result.audit_verdict.outcome if result.audit_verdict else NONE
        yield Ending(subject, str(file), outcome, verdict_in_words(result))


def _as_table(folder: Path, page: Path, endings: Sequence[Ending]) -> dict[str, Any]:
    return {
        "folder": str(folder),
        "report": str(page),
        "audits": [asdict(each) for each in endings],
        "next": next_step(folder),
    }
