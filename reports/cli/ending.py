"""The end of a command: its message on stderr and its exit code. No code of others ends it as a success."""

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from traceback import extract_tb, format_exception
from typing import Any, NamedTuple, NoReturn, TextIO

import typer
from rich.text import Text
from typer.exceptions import TyperException

from reports.cli.consoles import escape, messages, output_failure, refusals
from srd.errors import AuditError, CapacityError, EndlessThread, InputError

DONE, FAILED, INTERRUPTED = 0, AuditError.exit_code, 130
NO_ROOM = CapacityError.exit_code
EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN})
"""The errors of a machine, or of the limits of a process, that has no files, memory or processes left."""
NO_THREAD = "can't start new thread"


class End(NamedTuple):
    """The end of a command: its exit code, and its message if there is one."""

    code: int
    message: str = ""
    leaves_thread: bool = False
    """Whether a thread still runs, for which Python would wait."""


def run_to_exit(command: Callable[[], Any]) -> NoReturn:
    """Run a command and exit. Every refusal is one message on stderr and the exit code of its kind.

    A command that returns has done its work, unless it returns another exit code than 0. It is a failure if its
    output cannot be written to the last byte.
    """
    _refuse_closed_outputs()
    end = _end_of(command)
    lost = _flush(sys.stdout)
    if lost and end.code == DONE:
        end = End(NO_ROOM, str(output_failure("standard output", lost)))
    is_told = _tell(end)
    code = end.code if is_told or end.code == INTERRUPTED else NO_ROOM
    if end.leaves_thread:
        os._exit(code)
    sys.exit(code)


@contextmanager
def show_tracebacks(debug: bool) -> Iterator[None]:
    """Print the traceback of an error before its message, if `debug` is set."""
    try:
        yield
    except AuditError as error:
        if debug:
            messages.print(Text(getattr(error.__cause__, "traceback", "") or "".join(format_exception(error))))
        raise


def _end_of(command: Callable[[], Any]) -> End:
    """Return the end of a command, whatever it raises."""
    try:
        code = command() or DONE
    except KeyboardInterrupt:
        code = INTERRUPTED
    except SystemExit as stop:
        return _end_by_others(stop)
    except TyperException as error:
        return End(InputError.exit_code, _usage(error))
    except Exception as error:  # noqa: BLE001  the last door
        return _end_by_error(error)
    return End(code, "interrupted: the same command continues the run" if code == INTERRUPTED else "")


def _usage(error: TyperException) -> str:
    """Return the message of a wrong command line."""
    message, context = error.format_message(), getattr(error, "ctx", None)
    return f"{message} `{context.command_path} --help` tells more." if context else message


def _end_by_error(error: Exception) -> End:
    if isinstance(error, AuditError) and not isinstance(error, InputError):
        return End(error.exit_code, str(error))
    cause = next((each for each in _chain(error) if _is_exhaustion(each)), None)
    if cause is not None:
        return End(NO_ROOM, f"{type(cause).__name__}: {cause}; give the command more files, threads or memory")
    if isinstance(error, AuditError):
        return End(error.exit_code, str(error), isinstance(error, EndlessThread))
    if isinstance(error, OSError):
        return End(NO_ROOM, str(error))  # a full disk, a folder that may not be written to
    return End(FAILED, "".join(format_exception(error)).rstrip())


def _end_by_others(stop: SystemExit) -> End:
    """Return the end of a command that somebody else's code has ended, whatever code it chose."""
    if isinstance(stop.__context__, BrokenPipeError):  # so ends typer's help
        return End(NO_ROOM, str(output_failure("standard output", stop.__context__)))
    place = extract_tb(stop.__traceback__)[-1]
    if Path(place.filename).is_relative_to(Path(typer.__file__).parent):  # so ends its completion of a shell
        return End(int(stop.code or DONE))
    way_out = "remove the call, or raise an error instead"
    return End(FAILED, f"{place.filename}:{place.lineno}: ended the program by SystemExit({stop.code!r}); {way_out}")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_exhaustion(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno in EXHAUSTED
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and NO_THREAD in str(error))


def _refuse_closed_outputs() -> None:
    """Exit if an output is closed: the next file that is opened would take its place, and get what is printed.

    Python has no stream for an output that was closed before it began.
    """
    if sys.stderr is None:
        sys.exit(NO_ROOM)
    if sys.stdout is None:
        _tell(End(NO_ROOM, "standard output: is closed; leave it open, or send it to a file"))
        sys.exit(NO_ROOM)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # whatever the locale can print


def _tell(end: End) -> bool:
    """Print the message of an end, and return whether it could be printed."""
    if not end.message:
        _flush(sys.stderr)  # of progress, which may be lost
        return True
    try:
        if end.code == INTERRUPTED:
            refusals.print(Text(end.message))
        else:
            refusals.print(Text.assemble(("error", "bold red"), " ", escape(end.message)))
    except CapacityError:
        _flush(sys.stderr)
        return False
    return _flush(sys.stderr) is None


def _flush(stream: TextIO) -> OSError | None:
    """Write what is left of an output. Return the error if it cannot be written; Python then tries it no more."""
    try:
        stream.flush()
    except OSError as error:
        with suppress(OSError, ValueError):  # a stream without a descriptor has nothing to try
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return error
    return None
