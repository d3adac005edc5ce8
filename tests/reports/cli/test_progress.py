"""What a run tells on the terminal, by a clock that is wound by hand."""

import re
from collections.abc import Callable, Sequence
from io import StringIO

import pytest
from rich.console import Console
from small_audits import plain_attributes

from pipeline.execution.executors import Outcome, Work
from pipeline.plan.tasks import Plan, Task
from pipeline.store.attributes import RunAttributes
from reports.cli.progress import Display, Observers, StageProgress


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def done(number: int, seconds: float = 1.0) -> Outcome:
    return Outcome(Task("score", number, 0), work=Work("here", "cpu", 1, seconds))


def failed(number: int) -> Outcome:
    return Outcome(Task("score", number, 0), ValueError(f"cause {number}"))


def begin(display: Display, before: int, total: int) -> None:
    """Begin a stage of some tasks, some of which were done before, in a run that has no other stage left."""
    attributes = plain_attributes({})
    plan = Plan({**attributes.plan.sizes, "image": total, "y": 8, "x": 8}, 1, has_masks=False)
    display.on_store(attributes.model_copy(update={"plan": plan}))
    display.on_stage("score", [Task("score", number, 0) for number in range(before, total)], before, total)


@pytest.fixture
def shown() -> tuple[Display, Clock, Callable[[], list[str]]]:
    """A display on what is no terminal, its clock, and its lines."""
    written, clock = StringIO(), Clock()
    display = Display(Console(file=written, soft_wrap=True, highlight=False), clock=clock)
    return display, clock, lambda: [line for line in written.getvalue().splitlines() if "clean images" not in line]


def test_notes_on_the_input_are_told_before_any_stage(shown: tuple[Display, Clock, Callable[[], list[str]]]) -> None:
    display, _, lines = shown
    notes = ("4 files in b/: .tga is not read", "[bold]a[/bold]/: no image is there")
    display.on_store(plain_attributes({}).model_copy(update={"notes": notes}))
    assert lines() == list(notes)


def test_a_task_that_is_done_after_all_has_not_failed() -> None:
    stage = StageProgress("score", done=0, total=3)
    for outcome in (failed(0), failed(0), failed(1), done(0)):
        stage.record(outcome)
    assert (stage.done, stage.failed) == (1, {Task("score", 1, 0).key})
    assert stage.in_words() == "1 failed"


def test_lines_come_with_each_twentieth_of_a_stage(shown: tuple[Display, Clock, Callable[[], list[str]]]) -> None:
    display, clock, lines = shown
    begin(display, 0, 1000)
    for number in range(1000):
        clock.now += 0.1
        display.on_task(done(number, 0.1))
    assert len(lines()) == 20
    assert lines()[0] == "score 50/1000 0:01:35 left"
    assert lines()[-1] == "score 1000/1000 0:00:00 left"


def test_lines_come_every_half_minute_of_a_slow_stage(shown: tuple[Display, Clock, Callable[[], list[str]]]) -> None:
    display, clock, lines = shown
    begin(display, 0, 10_000)
    for number in range(100):
        clock.now += 10
        display.on_task(done(number))
    assert [line.split()[1] for line in lines()] == [f"{n}/10000" for n in range(3, 100, 3)]


def test_a_failure_is_told_at_once_and_counted(shown: tuple[Display, Clock, Callable[[], list[str]]]) -> None:
    display, clock, lines = shown
    begin(display, 0, 4)
    clock.now += 1
    display.on_task(failed(2))
    assert lines() == ["failed: cause 2"]
    display.on_task(done(0))
    assert lines()[1:] == ["score 1/4 0:00:03 left, 1 failed"]


def test_what_was_done_before_is_told(shown: tuple[Display, Clock, Callable[[], list[str]]]) -> None:
    display, _, lines = shown
    begin(display, 4, 4)
    assert lines() == ["score: nothing to do, all 4 tasks are done"]


def test_a_terminal_shows_a_bar_with_the_same_words() -> None:
    written, clock = StringIO(), Clock()
    with Display(Console(file=written, force_terminal=True, width=100), clock=clock) as display:
        begin(display, 2, 4)
        clock.now += 2
        display.on_task(done(2, 2.0))
        display.on_task(failed(3))
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.getvalue())
    assert "failed: cause 3" in text
    assert re.search(r"score\s+━+.*3/4 0:00:02 left, 1 failed", text)


def test_several_observers_are_told_alike() -> None:
    told: list[tuple[str, object]] = []

    class Listening:
        def on_store(self, attributes: RunAttributes) -> None:
            told.append(("prepared", attributes))

        def on_stage(self, name: str, tasks: Sequence[Task], done: int, total: int) -> None:
            told.append(("stage", (name, tasks, done, total)))

        def on_wait(self, name: str, n: int) -> None:
            told.append(("blocked", (name, n)))

        def on_task(self, outcome: Outcome) -> None:
            told.append(("task", outcome))

    attributes = plain_attributes({})
    both = Observers(Listening(), Listening())
    both.on_store(attributes)
    both.on_stage("score", [Task("score", 1, 0)], 1, 2)
    both.on_wait("score", 1)
    both.on_task(done(1))
    expected = [
        ("prepared", attributes),
        ("stage", ("score", [Task("score", 1, 0)], 1, 2)),
        ("blocked", ("score", 1)),
        ("task", done(1)),
    ]
    assert told == [event for event in expected for _ in range(2)]
