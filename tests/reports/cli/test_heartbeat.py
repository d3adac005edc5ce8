"""Whatever takes long shows that it is alive."""

from io import StringIO
from threading import Event
from time import sleep

from rich.console import Console

from reports.cli.heartbeat import Heartbeat, tell_phase
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


def test_a_phase_is_named_at_its_start_and_told_again() -> None:
    written = StringIO()
    with tell_phase(Console(file=written), "preparing", 0.02):
        assert written.getvalue() == "preparing ...\n"
        while written.getvalue().count("\n") < 3:
            sleep(0.01)
    assert written.getvalue().splitlines()[1].startswith("preparing ... 0:00:0")


def test_a_stage_in_which_no_task_ends_is_told() -> None:
    written = StringIO()
    lines = Lines(Console(file=written), lambda: 0.0)
    lines._heartbeat._period = 0.02
    lines.start()
    lines.begin(StageProgress("perturb", 3, 40))
    while "perturb 3/40" not in written.getvalue():
        sleep(0.01)
    lines.end()
