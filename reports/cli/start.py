"""The start of the command. It is installed as `srd_audit`, as another `reports` may come first on the import path."""

import runpy
import sys
from pathlib import Path

MARK = Path("reports", "cli", "packages.py")


def main() -> None:
    """Start the command with its own packages."""
    home = next(Path(entry) for entry in sys.path if (Path(entry) / MARK).is_file())
    runpy.run_path(str(home / MARK))["put_own_packages_first"]()
    from reports.cli import main as start

    start()
