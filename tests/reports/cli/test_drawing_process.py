"""Figures that another process draws: the same bytes, and never a reason why a report is not written."""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen

import pytest

from pipeline.store.results import open_results
from pipeline.store.runs import location_of
from reports.audit.readings import Readings
from reports.audit.report import Draw, draw_here
from reports.audit.run_record import record_of
from reports.audit.sections import AuditResult
from reports.audit.summarise import summarise
from reports.cli import drawing_process as drawing
from reports.cli.drawing_process import drawing_process


@pytest.fixture(scope="module")
def result(folder: Path) -> AuditResult:
    store = location_of(folder)
    return summarise(Readings(open_results(store)), record_of(folder, store))


def advanced(draw: Draw, result: AuditResult) -> tuple[int, list[tuple[str, bytes]]]:
    """How often a section was told of in this process, and the figures."""
    told: list[None] = []
    figures = draw(result, lambda: told.append(None))()
    return len(told), [(picture.file, picture.svg) for picture in figures]


def test_it_draws_the_same_bytes_as_often_as_asked_and_ends(result: AuditResult) -> None:
    _, expected = advanced(draw_here, result)
    with drawing_process() as draw:
        assert multiprocessing.active_children()
        for _ in range(2):
            assert advanced(draw, result) == (0, expected)
    assert not multiprocessing.active_children()


def end_at_once(_: object) -> None:
    raise SystemExit


def test_what_a_process_that_ends_has_not_drawn_is_drawn_here(
    result: AuditResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "_draw_what_comes", end_at_once)
    with drawing_process() as draw:
        told, figures = advanced(draw, result)
    assert told > 0
    assert figures == advanced(draw_here, result)[1]


def test_what_it_cannot_draw_raises_here(result: AuditResult) -> None:
    broken = result.model_copy(update={"stability": None})
    with drawing_process() as draw, pytest.raises(TypeError):
        draw(broken, int)()


def test_where_there_is_one_core_this_process_draws(result: AuditResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "usable_cores", lambda: 1)
    with drawing_process() as draw:
        assert draw is draw_here


def test_an_interrupted_report_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: Callable[[], object]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), drawing_process():
        interrupt(int)
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("seconds", [0.0, 0.2, 0.5, 1.0, 2.0])
def test_an_interrupt_is_the_commands_alone_however_early_it_comes(seconds: float) -> None:
    """Ctrl-C reaches all processes of a terminal; the one that draws is then still importing, and prints nothing."""
    code = (
        "import signal, time\n"
        "from reports.cli.drawing_process import drawing_process\n"
        "if __name__ == '__main__':\n"
        "    signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell makes background jobs deaf to it
        "    with drawing_process():\n"
        "        try:\n"
        "            print('started', flush=True)\n"
        "            time.sleep(60)\n"
        "        except KeyboardInterrupt:\n"
        "            print('interrupted', flush=True)\n"
        "            time.sleep(1)\n"
    )
    command = Popen(
        [sys.executable, "-P", "-c", code], stdout=PIPE, stderr=STDOUT, encoding="utf-8", start_new_session=True
    )
    assert command.stdout is not None
    assert command.stdout.readline() == "started\n"
    time.sleep(seconds)
    os.killpg(command.pid, signal.SIGINT)
    assert command.communicate(timeout=60)[0] == "interrupted\n"
