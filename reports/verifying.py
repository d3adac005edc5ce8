"""Verifying a run on the terminal: imports torch, so only the command that needs it imports this."""

from pathlib import Path

from rich.console import Console


def verify_run(run: Path, sample: int, seed: int, repair: bool, console: Console) -> None:
    """Verifies every audit of a run and writes down what was found.

    Raises DamagedRun, UnlikeRun for other bytes on the same class of machine, IncompleteRun.
    """
