"""Whatever takes long shows that it is alive."""

from io import StringIO
from threading import Event
from time import sleep

import pytest
from rich.console import Console

from pipeline.machine.phases import Notice, Phase
from reports.cli.heartbeat import Heartbeat, tell_phases
from reports.cli.progress import Lines, StageProgress


def test_it_tells_again_and_again_until_it_is_stopped() -> None:
    told: list[int] = []
    three = Event()

    def tell() -> None:
        told.append(len(told))
        if len(told) == 3:
            three.set()

    heartbeat = Heartbeat(tell, 0.02)
    heartbeat.start()
    assert three.wait(30)
    heartbeat.stop()
    before = list(told)
    sleep(0.1)
    assert told == before


def test_news_put_it_off() -> None:
    told: list[str] = []
    heartbeat = Heartbeat(lambda: told.append("late"), 30)
    heartbeat.start()
    for _ in range(5):
        heartbeat.restart()
    heartbeat.stop()
    assert not told


def test_a_phase_is_named_at_its_start_and_told_again_with_what_it_has_come_to() -> None:
    written = StringIO()
    with tell_phases(Console(file=written), period=0.02) as tell:
        tell(Phase("reading images", "1/63"))
        assert written.getvalue() == "reading images 1/63 ...\n"
        tell(Phase("reading images", "7/63"))
        assert written.getvalue().count("7/63") == 0, "the same phase"
        while written.getvalue().count("\n") < 3:
            sleep(0.01)
    assert written.getvalue().splitlines()[1].startswith("reading images 7/63 ... 0:00:0")


def test_each_phase_has_a_line_and_says_whose_it_is() -> None:
    written = StringIO()
    with tell_phases(Console(file=written), "one") as tell:
        for phase in (Phase("loading"), Phase("writing report", "40 %"), Phase("writing report", "60 %")):
            tell(phase)
    assert written.getvalue().splitlines() == ["one: loading ...", "one: writing report 40 % ..."]


def test_a_terminal_shows_the_phase_on_a_line_that_changes() -> None:
    written = StringIO()
    with tell_phases(Console(file=written, force_terminal=True, width=60)) as tell:
        for phase in ("loading", "[b]reading"):
            tell(Phase(phase))
            while phase not in written.getvalue():
                sleep(0.01)
    assert "\n" not in written.getvalue().rstrip().split("reading")[1]


def test_a_stage_in_which_no_task_ends_is_told() -> None:
    written = StringIO()
    lines = Lines(Console(file=written), lambda: 0.0)
    lines._heartbeat._period = 0.02
    lines.start()
    lines.begin(StageProgress("perturb", 3, 40))
    while "perturb 3/40" not in written.getvalue():
        sleep(0.01)
    lines.end()


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_notice_is_a_line_that_stays_beside_the_phase(is_terminal: bool) -> None:
    written = StringIO()
    with tell_phases(Console(file=written, force_terminal=is_terminal, width=100), "one") as tell:
        for phase in (Phase("loading"), Notice("score is done again: [its] code changed"), Phase("loading")):
            tell(phase)
    (line,) = [line for line in written.getvalue().splitlines() if "done again" in line]
    assert line.endswith("one: score is done again: [its] code changed")
    assert written.getvalue().count("one: loading ...") == (not is_terminal)
