"""The pages of a run, written, and their paths printed. Seaborn takes seconds to import: only commands that draw do."""

from collections.abc import Iterator
from pathlib import Path

from pipeline.store.runs import audits_in
from reports.audit.report import write_report
from reports.comparison.page import write_comparison
from reports.runs import finished_audits


def write_reports(folder: Path) -> Path:
    """Write the report of a finished run, of several subjects each their own, and return the path of the main page."""
    subjects = audits_in(folder)
    if not subjects:
        return write_report(folder)
    for audit in subjects.values():
        write_report(audit)
    return write_comparison(finished_audits(folder), folder)


def write_unfinished_reports(folder: Path) -> Iterator[Path]:
    """Write the report of each audit as far as it came, and yield its path. Unfinished audits are not compared."""
    for audit in audits_in(folder).values() or (folder,):
        yield write_report(audit)
