"""What only shows a run never stops it: links, bars, colours, caches, logs. One place says what a terminal is."""

import errno
import io
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask
import pytest
from command_line import Command
from dask_processes import IMPORTS
from distributed import LocalCluster  # noqa: F401  whose import completes Dask's configuration
from rich.console import Console
from rich.table import Table
from small_audits import TASKS, plain_attributes, write_audit

from pipeline.execution.executors import Outcome
from pipeline.execution.logs import Log
from pipeline.execution.on_dask.clusters import start_cluster
from pipeline.execution.on_dask.settings import configuration
from pipeline.plan.tasks import Task
from pipeline.spec.deployment import LocalSpec
from reports.cli.consoles import EscapingConsole, is_terminal, messages, terminal_variables
from reports.cli.progress import Bars, Decoration, Display, Lines
from reports.cli.surroundings import settle_surroundings

LYING = {"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1", "TTY_INTERACTIVE": "1", "PY_COLORS": "1", "GITHUB_ACTIONS": "true",
         "CLICOLOR_FORCE": "1", "COLUMNS": "0", "TERMINAL_WIDTH": "wide", "COLORTERM": "truecolor"}  # fmt: skip
PROGRAM = "from reports.cli import main; main()"


class Stream(io.StringIO):
    """A stream that says whether it is a terminal."""

    def __init__(self, answer: Callable[[], bool]) -> None:
        super().__init__()
        self.isatty = answer  # type: ignore[method-assign]


def gone() -> bool:
    raise OSError(errno.EIO, "gone")


@pytest.mark.parametrize(
    ("answer", "term", "expected"),
    [
        (lambda: True, "xterm-256color", True),
        (lambda: True, "dumb", False),
        (lambda: True, "unknown", False),
        (lambda: True, "", False),
        (lambda: True, None, False),
        (lambda: False, "xterm", False),
        (gone, "xterm", False),
    ],
)
def test_a_terminal_is_what_moves_its_cursor(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[[], bool], term: str | None, expected: bool
) -> None:
    for name, value in LYING.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("TERM", raising=False) if term is None else monkeypatch.setenv("TERM", term)
    stream = Stream(answer)
    console = EscapingConsole(file=stream)
    assert is_terminal(stream) is console.is_terminal is console.is_interactive is expected
    assert isinstance(Display(console)._shown, Bars if expected else Lines)
    console.print("[bold red]word[/]")
    assert ("\x1b" in stream.getvalue()) is expected


@pytest.mark.parametrize("size", ["0", "1", "x", "-4", ""])
def test_no_variable_makes_a_width_of_nothing(size: str) -> None:
    assert terminal_variables({"COLUMNS": size, "LINES": "40", "FORCE_COLOR": "1"}) == {"LINES": "40"}


@pytest.mark.parametrize("arguments", [["metrics"], ["--help"], ["run", "--help"], ["nonsense"]])
def test_a_pipe_gets_no_codes_whatever_the_environment_says(tmp_path: Path, arguments: list[str]) -> None:
    environment = os.environ | IMPORTS | LYING | {"TERM": "xterm-256color"}
    ended = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM, *arguments],
        env=environment,
        capture_output=True,
        cwd=tmp_path,
        check=False,
    )
    assert ended.returncode == (2 if arguments == ["nonsense"] else 0)
    assert b"\x1b" not in ended.stdout + ended.stderr
    assert b"Traceback" not in ended.stderr


@pytest.mark.slow
def test_a_dumb_terminal_gets_lines(tmp_path: Path) -> None:
    parent, child = pty.openpty()
    environment = os.environ | IMPORTS | {"TERM": "dumb"}
    spec = write_audit(tmp_path / "audit")
    command = [sys.executable, "-P", "-c", PROGRAM, "run", str(spec), "--stage", "perturb"]
    with subprocess.Popen(command, env=environment, stdout=child, stderr=child, cwd=tmp_path) as running:
        os.close(child)
        shown = b"".join(iter(lambda: read(parent), b""))
    os.close(parent)
    assert running.returncode == 0, shown
    assert b"\x1b" not in shown
    assert f"perturb {TASKS['perturb']}/{TASKS['perturb']}".encode() in shown


def read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:  # so ends a terminal
        return b""


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_what_an_output_cannot_encode_is_escaped(encoding: str) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    table = Table("ü", "漢")
    table.add_row("Käfer/0.png", "…")
    console = EscapingConsole(file=stream, width=60)
    console.print(table)
    console.print("Käfer 漢")
    stream.seek(0)
    last = stream.read().splitlines()[-1]
    assert last == {"ascii": r"K\xe4fer \u6f22", "latin-1": r"Käfer \u6f22", "utf-8": "Käfer 漢"}[encoding]


class Full(io.TextIOWrapper):
    """Standard error that takes nothing more."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8")

    def write(self, text: str) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.mark.parametrize("kind", ["full", "closed"])
def test_progress_that_nobody_can_read_is_lost_and_stops_nothing(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    stream: Any = Full() if kind == "full" else io.StringIO()
    if kind == "closed":
        stream.close()
    monkeypatch.setattr(sys, "stderr", stream)
    messages.print("lost")
    with messages.status("lost"):
        pass


@pytest.mark.slow
def test_a_run_whose_terminal_is_gone_ends_well(tmp_path: Path) -> None:
    spec = write_audit(tmp_path / "audit")
    program = f"{sys.executable} -P -c '{PROGRAM}' run {spec} --stage perturb 2>/dev/full"
    ended = subprocess.run(["bash", "-c", program], env=os.environ | IMPORTS, cwd=tmp_path, check=False)
    assert ended.returncode == 0


def test_a_display_that_fails_is_told_once() -> None:
    stream = io.StringIO()
    console = Console(file=stream)
    with Decoration(Failing(console), console) as shown:
        shown.on_store(plain_attributes({}))
        for tile in range(3):
            shown.on_task(Outcome(Task("score", tile, 0)))
    assert stream.getvalue().count("the display failed (ZeroDivisionError('on purpose')); the run goes on") == 1


class Failing(Display):
    def on_store(self, attributes: object) -> None:
        raise ZeroDivisionError("on purpose")

    def on_task(self, outcome: object) -> None:
        raise ZeroDivisionError("on purpose")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EIO])
def test_logs_that_cannot_be_written_are_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refused(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("pipeline.execution.logs.append_line", refused)
    told: list[str] = []
    log = Log(tmp_path, tmp_path / "audit.toml", "this process", told.append)
    log.on_store(plain_attributes({}))
    log.on_task(Outcome(Task("score", 0, 0), ValueError("x")))
    (line,) = told
    assert os.strerror(number) in line
    assert line.endswith("; the run goes on, and lines of its logs are missing")


@pytest.mark.parametrize("link", ["{NO_SUCH_VARIABLE}/status", "{", "{port:nonsense}", ""])
def test_a_dashboard_without_an_address_stops_nothing(link: str) -> None:
    told: list[str] = []
    with (
        dask.config.set({"distributed.dashboard.link": link}),
        start_cluster(LocalSpec(workers=1), told.append) as client,
    ):
        assert client.submit(divmod, 7, 2).result() == (3, 1)
    assert re.fullmatch(r"dashboard: http://127.0.0.1:\d+/status", told[1])


def test_a_template_of_the_users_that_can_be_filled_in_is_kept() -> None:
    with dask.config.set({"distributed.dashboard.link": "/proxy/{port}/status"}):
        assert configuration()["distributed.dashboard.link"] == "/proxy/{port}/status"


@pytest.mark.slow
@pytest.mark.parametrize(
    "variables",
    [
        {"MPLBACKEND": "nonsense"},
        {"MPLBACKEND": "module://matplotlib_inline.backend_inline"},
        {"MPLCONFIGDIR": "/proc/nowhere"},
        {"MPLCONFIGDIR": "/dev/null/x", "HOME": "/dev/null", "TMPDIR": "/nowhere"},
        {"XDG_CACHE_HOME": "/dev/null", "XDG_CONFIG_HOME": "/dev/null"},
    ],
    ids=str,
)
def test_figures_are_drawn_whatever_matplotlib_is_told(tmp_path: Path, variables: dict[str, str]) -> None:
    program = (
        "from reports.cli.surroundings import settle_surroundings as settle; settle(); "
        "from matplotlib.figure import Figure; from reports.style import figure_style, svg\n"
        "with figure_style(): assert svg(Figure()).startswith(b'<?xml')"
    )
    ended = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env=os.environ | IMPORTS | variables,
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("where", ["here", "named"])
@pytest.mark.parametrize("content", [b"font.family: K\xe4fer\n", b"nonsense\x00", b"figure.dpi: very\n"], ids=str)
def test_no_settings_of_matplotlib_stop_a_figure(tmp_path: Path, where: str, content: bytes) -> None:
    file = tmp_path / ("matplotlibrc" if where == "here" else "other")
    file.write_bytes(content)
    program = (
        "from reports.cli.surroundings import settle_surroundings as settle; settle(); "
        "import os, matplotlib as mpl; print(os.getcwd(), mpl.rcParams['figure.dpi'])"
    )
    ended = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env=os.environ | IMPORTS | ({"MATPLOTLIBRC": str(file)} if where == "named" else {}),
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (ended.stdout, ended.stderr) == (f"{tmp_path} 100.0\n", "")


def test_a_style_of_the_users_changes_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib as mpl

    from reports.style import figure_style

    with figure_style():
        plain = dict(mpl.rcParams)
    with mpl.rc_context({"lines.linewidth": 9, "figure.figsize": (1, 1), "svg.image_inline": False}):
        with figure_style():
            assert dict(mpl.rcParams) == plain
        assert mpl.rcParams["lines.linewidth"] == 9


def test_surroundings_without_any_place_for_a_cache_use_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MPLCONFIGDIR", "/dev/null/x")
    monkeypatch.setattr("reports.cli.surroundings.tempfile.gettempdir", gone)
    settle_surroundings()
    assert os.environ["MPLCONFIGDIR"].startswith("/dev/shm/matplotlib-")


@pytest.mark.slow
def test_a_run_in_a_folder_without_a_place_for_logs_ends_well(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = write_audit(tmp_path / "audit")
    monkeypatch.setattr(
        "pipeline.execution.logs.append_line", lambda *_: (_ for _ in ()).throw(OSError(errno.EDQUOT, "quota"))
    )
    ended = command("run", spec, "--out", "run", "--stage", "perturb")
    assert ended.code == 0
    assert ended.err.count("lines of its logs are missing") == 1
