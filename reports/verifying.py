"""Verifying a run on the terminal: imports torch, so only the command that needs it imports this."""

from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pipeline.comparison import load_audits
from pipeline.jobs import Job
from pipeline.logs import spec_folder
from pipeline.spec import load_spec
from pipeline.store import withdraw
from pipeline.verification import Verification, keep, verify
from reports.runs import SPEC_COPY, audits_in, folder_of, location_of
from srd.errors import DamagedRun, IncompleteRun, UnlikeRun


def verify_run(run: Path, sample: int, seed: int, repair: bool, console: Console) -> None:
    """Verifies every audit of a run and writes down what was found.

    Raises DamagedRun, UnlikeRun for other bytes on the same class of machine, IncompleteRun.
    """
