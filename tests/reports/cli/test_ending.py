"""A command that did not do what it is for never ends with 0, and says why where it can."""

import errno
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
import typer
from command_line import CommandEnd
from dask_processes import IMPORTS

from reports.cli.consoles import results
from reports.cli.ending import run_to_exit
from srd.errors import CapacityError, FailedTasks, ModelError, StoreError

End = Callable[[Callable[[], Any]], CommandEnd]


@pytest.fixture
def end(capsys: pytest.CaptureFixture[str]) -> End:
    """Run a function as the command, and return its exit code and output."""

    def call(command: Callable[[], Any]) -> CommandEnd:
        with pytest.raises(SystemExit) as stop:
            run_to_exit(command)
        assert isinstance(stop.value.code, int)
        return CommandEnd(stop.value.code, *capsys.readouterr())

    return call


def failing(error: BaseException, cause: BaseException | None = None) -> Callable[[], NoReturn]:
    def command() -> NoReturn:
        raise error from cause

    return command


def test_a_command_that_returns_is_done(end: End) -> None:
    assert end(lambda: None) == (0, "", "")
    assert end(lambda: 4) == (4, "", ""), "as typer tells an exit code"


@pytest.mark.parametrize("code", [0, None, 2, 5, 130, "text"])
def test_an_exit_by_the_code_of_others_is_a_failure_with_its_place(end: End, code: object) -> None:
    ended = end(failing(SystemExit(code)))
    assert (ended.code, ended.out) == (1, "")
    assert f"ended the program by SystemExit({code!r})" in ended.err
    assert f"{Path(__file__).name}:" in ended.err


EXHAUSTED = {
    "files": OSError(errno.EMFILE, "Too many open files"),
    "files of all": OSError(errno.ENFILE, "Too many open files in system"),
    "threads": RuntimeError("can't start new thread"),
    "memory": MemoryError("of 3 GiB"),
    "disk": OSError(errno.ENOSPC, "No space left on device"),
}


@pytest.mark.parametrize("error", EXHAUSTED.values(), ids=EXHAUSTED)
def test_a_machine_that_has_no_more_is_told_with_the_cause(end: End, error: Exception) -> None:
    ended = end(failing(error))
    assert (ended.code, ended.out) == (5, "")
    assert str(error) in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("name", ["files", "threads", "memory"])
@pytest.mark.parametrize("kind", [StoreError, ModelError, ImportError])
def test_what_a_machine_lacks_is_not_blamed_on_the_input(end: End, name: str, kind: type[Exception]) -> None:
    ended = end(failing(kind("cannot be read; remove it"), EXHAUSTED[name]))
    assert ended.code == 5
    assert str(EXHAUSTED[name]) in ended.err
    assert "remove it" not in ended.err


@pytest.mark.parametrize("error", [StoreError("no run"), FailedTasks("2 failed"), CapacityError("too large")])
def test_a_refusal_ends_with_the_code_of_its_kind(end: End, error: Exception) -> None:
    assert end(failing(error)) == (getattr(error, "exit_code"), "", f"error {error}\n")  # noqa: B009


def test_a_task_that_had_no_memory_is_still_a_task_that_failed(end: End) -> None:
    assert end(failing(FailedTasks("2 failed"), MemoryError())).code == 4


def test_a_bug_is_told_with_its_traceback(end: End) -> None:
    ended = end(failing(ZeroDivisionError("\x1b[31m\r\a\ud800")))
    assert ended.code == 1
    assert "Traceback" in ended.err
    assert r"ZeroDivisionError: \x1b[31m\r\x07\ud800" in ended.err


def test_an_interruption_ends_with_its_code(end: End) -> None:
    ended = end(failing(KeyboardInterrupt()))
    assert (ended.code, ended.out) == (130, "")
    assert "the same command continues the run" in ended.err


class Full(io.TextIOWrapper):
    """A stream that takes text, and fails when it must pass it on."""

    def __init__(self, error: OSError) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8")
        self._error, self._text = error, ""

    def write(self, text: str) -> int:
        self._text += text
        return len(text)

    def flush(self) -> None:
        if self._text:
            raise self._error


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EPIPE, errno.EIO])
@pytest.mark.parametrize("command", [lambda: results.print("path"), lambda: print("path")], ids=["console", "print"])  # noqa: T201
def test_what_cannot_be_told_is_not_done(
    end: End, monkeypatch: pytest.MonkeyPatch, command: Callable[[], None], number: int
) -> None:
    monkeypatch.setattr(sys, "stdout", Full(OSError(number, os.strerror(number))))
    ended = end(command)
    assert ended.code == 5
    assert ended.err == f"error standard output: {os.strerror(number)}; send it to where it fits and is read\n"


@pytest.mark.parametrize("error", [StoreError("no run"), ZeroDivisionError(), SystemExit(0)])
def test_a_message_that_cannot_be_told_ends_with_5(
    end: End, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    monkeypatch.setattr(sys, "stderr", Full(OSError(errno.ENOSPC, "full")))
    assert end(failing(error)) == (5, "", "")


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_no_command_starts_with_a_closed_output(end: End, monkeypatch: pytest.MonkeyPatch, stream: str) -> None:
    started: list[bool] = []
    monkeypatch.setattr(sys, stream, None)
    ended = end(lambda: started.append(True))
    assert (ended.code, started) == (5, [])
    assert ended.err == (
        "error standard output: is closed; leave it open, or send it to a file\n" * (stream == "stdout")
    )


@pytest.mark.parametrize(
    "outputs", [">/dev/full", ">&-", ">/dev/full 2>/dev/full", ">&- 2>&-", "| true; exit ${PIPESTATUS[0]}"]
)
def test_the_installed_command_cannot_tell_and_ends_with_5(tmp_path: Path, outputs: str) -> None:
    program = f"{sys.executable} -P -c 'from reports.cli import main; main()' metrics {outputs}"
    ended = subprocess.run(
        ["bash", "-c", program],
        env=os.environ | IMPORTS,
        capture_output=True,
        encoding="utf-8",
        cwd=tmp_path,
        check=False,
    )
    assert ended.returncode == 5
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == (0 if "2>" in outputs else 1)


def test_typer_tells_its_exit_codes_by_returning_them() -> None:
    app = typer.Typer()

    @app.command()
    def stop(code: int) -> None:
        raise typer.Exit(code)

    assert app(["3"], standalone_mode=False) == 3
    assert not app(["--help"], standalone_mode=False)
