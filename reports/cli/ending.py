"""The end of a command: its message on stderr and its exit code."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from traceback import format_exception
from typing import Any, NoReturn

from rich.console import Console
from rich.text import Text

from srd.errors import AuditError, CapacityError

INTERRUPTED = 130

messages = Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)


def run_to_exit(command: Callable[[], Any]) -> NoReturn:
    """Run a command and exit. Every refusal is one message on stderr and the exit code of its kind."""
    try:
        command()
    except AuditError as error:
        _fail(str(error), error.exit_code)
    except OSError as error:
        _fail(str(error), CapacityError.exit_code)  # a full disk, a folder that may not be written to
    except SystemExit as stop:
        if stop.code == INTERRUPTED:
            messages.print("interrupted: the same command continues the run")
        raise
    sys.exit(0)


@contextmanager
def show_tracebacks(debug: bool) -> Iterator[None]:
    """Print the traceback of an error before its message, if `debug` is set."""
    try:
        yield
    except AuditError as error:
        if debug:
            messages.print(Text(getattr(error.__cause__, "traceback", "") or "".join(format_exception(error))))
        raise


def _fail(message: str, exit_code: int) -> NoReturn:
    messages.print(Text.assemble(("error", "bold red"), " ", message))
    sys.exit(exit_code)
