"""The counts of all fuzz tests, of however many processes, at the end of the run."""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fuzzing import counts, summary
from runs import SoundRun, make_sound_run

COUNTS = "fuzz counts"
collected: Counter[str] = Counter()


@pytest.fixture(scope="session", autouse=True)
def without_bytecode() -> Iterator[None]:
    """No module that an example imports is to write beside its source."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    yield
    sys.dont_write_bytecode = before


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the only folder that examples may change; the folder `beside` is watched."""
    folder = tmp_path_factory.mktemp("fuzz")
    for name in ("home", "beside"):
        (folder / name).mkdir()
    (folder / "beside" / "file").write_text("not yours", encoding="utf-8")
    return folder / "home"


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> SoundRun:
    """Return a finished run, of whose copy examples edit files."""
    return make_sound_run(tmp_path_factory.mktemp("runs").resolve())


def pytest_sessionfinish(session: pytest.Session) -> None:
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is None:
        collected.update(counts)
    else:
        output[COUNTS] = dict(counts)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    collected.update(getattr(node, "workeroutput", {}).get(COUNTS, {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if collected:
        terminalreporter.section("fuzz")
        for line in summary(collected):
            terminalreporter.write_line(line)
