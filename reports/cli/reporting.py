"""The pages of a run, written, and their paths printed. Seaborn takes seconds to import: only commands that draw do."""

from collections.abc import Iterator
from pathlib import Path

from pipeline.machine.phases import Tell
from pipeline.store.runs import audits_in
from reports.audit.report import Draw, write_report
from reports.comparison.page import write_comparison
from reports.printing import print_page
from reports.runs import PAGE, finished_audits

PRINTED = "report.pdf"


def write_reports(folder: Path, tell: Tell, draw: Draw) -> Path:
    """Write the report of a finished run, of several subjects each their own, and return the path of the main page."""
    subjects = audits_in(folder)
    if not subjects:
        return write_report(folder, tell, draw)
    for audit in subjects.values():
        write_report(audit, tell, draw)
    return write_comparison(finished_audits(folder), folder)


def print_reports(folder: Path) -> Iterator[Path]:
    """Print the page of each audit of a run as PDF beside its report, and yield its path."""
    for audit in audits_in(folder).values() or (folder,):
        print_page(audit / PAGE, audit / PRINTED)
        yield audit / PRINTED


def write_unfinished_reports(folder: Path, tell: Tell) -> Iterator[Path]:
    """Write the report of each audit as far as it came, and yield its path. Unfinished audits are not compared."""
    for audit in audits_in(folder).values() or (folder,):
        yield write_report(audit, tell)
