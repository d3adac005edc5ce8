"""The paths that a command writes to, and prints as its result."""

from pathlib import Path

from rich.text import Text

from reports.cli.consoles import results
from srd.errors import InputError


def refuse_existing(path: Path) -> None:
    """Refuse a place where anything is, a link that leads nowhere included."""
    if path.is_symlink() or path.exists():
        raise InputError(f"{path}: is there already; name another file")


def print_path(path: Path) -> None:
    """Print a path alone on a line."""
    results.print(Text(str(path)))
