"""The command `srd-audit`, the only part of reports that starts work."""

import gc
from typing import Any, NoReturn

from reports.cli.packages import put_own_packages_first

RARE = (100_000, 20, 20)
"""The thresholds of Python's collector of cycles: figures and imports make many objects, of which few are garbage."""


def main() -> NoReturn:
    """Start the command: every refusal is one message on stderr and the exit code of its kind."""
    gc.set_threshold(*RARE)
    put_own_packages_first()
    from reports.cli.ending import run_to_exit
    from reports.cli.locales import start_in_utf8

    start_in_utf8()
    run_to_exit(_run_command)


def _run_command() -> Any:
    from reports.cli.surroundings import settle_surroundings

    settle_surroundings()
    from reports.cli.app import app  # what its imports raise is a failure of the command as well

    return app(standalone_mode=False, prog_name="srd-audit")
