"""What a run tells on the terminal, by a clock that is wound by hand."""

import re
from collections.abc import Callable
from io import StringIO

import pytest
from rich.console import Console
from small_audits import plain_attributes

from pipeline.execution.executors import Outcome, Work
from pipeline.plan.tasks import Task
from pipeline.store.attributes import RunAttributes
from reports.cli.progress import Display, Observers, Pace


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def done(number: int, seconds: float | None = None) -> Outcome:
    return Outcome(Task("score", number, 0), work=None if seconds is None else Work("here", "cpu", 1, seconds))


def failed(number: int) -> Outcome:
    return Outcome(Task("score", number, 0), ValueError(f"cause {number}"))


@pytest.fixture
def shown() -> tuple[Display, Clock, Callable[[], list[str]]]:
    """A display on what is no terminal, its clock, and its lines."""
    written, clock = StringIO(), Clock()
    display = Display(Console(file=written, soft_wrap=True, highlight=False), clock)
    return display, clock, lambda: written.getvalue().splitlines()


def test_notes_on_the_input_are_told_before_any_stage(shown: tuple[Display, Clock, Callable[[], list[str]]]) -> None:
    display, _, lines = shown
    notes = ("4 files in b/: .tga is not read", "[bold]a[/bold]/: no image is there")
    display.on_store(plain_attributes({}).model_copy(update={"notes": notes}))
    assert lines()[1:] == list(notes)


def test_rate_and_time_left_are_those_of_this_stage() -> None:
    pace = Pace("score", done=40, total=100, began=1000.0)
    assert (pace.rate, pace.remaining_seconds(1005.0), pace.in_words(1005.0)) == (None, None, "")
    for number in range(10):
        pace.record(done(number), 1002.0 + 2 * number)  # the last at 1020
    assert pace.rate == pytest.approx(0.5)
    assert pace.remaining_seconds(1020.0) == pytest.approx(100)
    assert pace.remaining_seconds(1030.0) == pytest.approx(90), "it goes on while a task runs"
    assert pace.remaining_seconds(9999.0) == 0
    assert pace.in_words(1020.0) == "0.5 tasks/s, 0:01:40 left"


def test_the_start_of_a_cluster_does_not_count() -> None:
    pace = Pace("score", done=0, total=10, began=1000.0)
    pace.record(done(0, seconds=2.0), 1060.0)
    pace.record(done(1, seconds=2.0), 1062.0)
    assert pace.rate == pytest.approx(2 / 4)


def test_a_task_that_is_done_after_all_has_not_failed() -> None:
    pace = Pace("score", done=0, total=3, began=0.0)
    for outcome in (failed(0), failed(0), failed(1), done(0)):
        pace.record(outcome, 8.0)
    assert (pace.done, pace.failed) == (1, {Task("score", 1, 0).key})
    assert pace.in_words(8.0) == "0.125 tasks/s, 0:00:16 left, 1 failed"


def test_lines_come_with_each_twentieth_of_a_stage(shown: tuple[Display, Clock, Callable[[], list[str]]]) -> None:
    display, clock, lines = shown
    display.on_stage("score", 0, 1000)
    for number in range(1000):
        clock.now += 0.1
        display.on_task(done(number))
    assert len(lines()) == 20
    assert lines()[0] == "score 50/1000 10 tasks/s, 0:01:35 left"
    assert lines()[-1] == "score 1000/1000 10 tasks/s, 0:00:00 left"


def test_lines_come_every_half_minute_of_a_slow_stage(shown: tuple[Display, Clock, Callable[[], list[str]]]) -> None:
    display, clock, lines = shown
    display.on_stage("score", 0, 100_000)
    for number in range(100):
        clock.now += 10
        display.on_task(done(number))
    assert [line.split()[1] for line in lines()] == [f"{n}/100000" for n in range(3, 100, 3)]


def test_a_failure_is_told_at_once_and_counted(shown: tuple[Display, Clock, Callable[[], list[str]]]) -> None:
    display, clock, lines = shown
    display.on_stage("score", 0, 4)
    clock.now += 1
    display.on_task(failed(2))
    assert lines() == ["failed: cause 2"]
    display.on_task(done(0))
    assert lines()[1:] == ["score 1/4 1 tasks/s, 0:00:03 left, 1 failed"]


def test_what_was_done_before_is_told(shown: tuple[Display, Clock, Callable[[], list[str]]]) -> None:
    display, _, lines = shown
    display.on_stage("score", 4, 4)
    assert lines() == ["score: nothing to do, all 4 tasks are done"]


def test_a_terminal_shows_a_bar_with_the_same_words() -> None:
    written, clock = StringIO(), Clock()
    with Display(Console(file=written, force_terminal=True, width=100), clock) as display:
        display.on_stage("score", 2, 4)
        clock.now += 2
        display.on_task(done(2))
        display.on_task(failed(3))
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.getvalue())
    assert "failed: cause 3" in text
    assert re.search(r"score\s+━+.*3/4 0\.5 tasks/s, 0:00:02 left, 1 failed", text)


def test_several_observers_are_told_alike() -> None:
    told: list[tuple[str, object]] = []

    class Listening:
        def on_store(self, attributes: RunAttributes) -> None:
            told.append(("prepared", attributes))

        def on_stage(self, name: str, done: int, total: int) -> None:
            told.append(("stage", (name, done, total)))

        def on_wait(self, name: str, n: int) -> None:
            told.append(("blocked", (name, n)))

        def on_task(self, outcome: Outcome) -> None:
            told.append(("task", outcome))

    attributes = plain_attributes({})
    both = Observers(Listening(), Listening())
    both.on_store(attributes)
    both.on_stage("score", 1, 2)
    both.on_wait("score", 1)
    both.on_task(done(1))
    expected = [("prepared", attributes), ("stage", ("score", 1, 2)), ("blocked", ("score", 1)), ("task", done(1))]
    assert told == [event for event in expected for _ in range(2)]
