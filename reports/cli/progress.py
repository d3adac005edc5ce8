"""The progress of a run: bars on a terminal, or a line now and then in a log."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from pipeline.execution.executors import Outcome
from pipeline.execution.run import Observer
from pipeline.store.attributes import RunAttributes
from reports.cli.heartbeat import PERIOD, Heartbeat
from reports.cli.notes import print_notes

SHARE = 0.05
"""Share of a stage after which a line is due."""


@dataclass
class Pace:
    """The progress of one stage. Seconds are those of any clock."""

    name: str
    done: int
    """Tasks done, with those of earlier runs."""
    total: int
    began: float
    last: float = 0.0
    """Time at which the last task ended."""
    ended: int = 0
    """Tasks done since the stage began."""
    failed: set[str] = field(default_factory=set)
    """Tasks that have failed and have not been done since."""

    def record(self, outcome: Outcome, now: float) -> None:
        """Count a task that has ended at `now`."""
        if not self.last and outcome.work is not None:
            self.began = max(self.began, now - outcome.work.seconds)  # a cluster starts before its first task
        self.last = now
        if outcome.error is not None:
            self.failed.add(outcome.task.key)
            return
        self.failed.discard(outcome.task.key)
        self.done += 1
        self.ended += 1

    @property
    def rate(self) -> float | None:
        """Return the tasks per second, or None before the first is done."""
        return self.ended / (self.last - self.began) if self.ended and self.last > self.began else None

    def remaining_seconds(self, now: float) -> float | None:
        """Return the seconds to the end of the stage, estimated from its rate."""
        return None if self.rate is None else max((self.total - self.done) / self.rate - (now - self.last), 0.0)

    def in_words(self, now: float) -> str:
        """Return the pace in words, such as `0.52 tasks/s, 0:02:03 left, 1 failed`."""
        left = self.remaining_seconds(now)
        parts = [] if left is None else [f"{self.rate:.3g} tasks/s", f"{timedelta(seconds=round(left))} left"]
        return ", ".join(parts + [f"{len(self.failed)} failed"] * bool(self.failed))


class Bars:
    """Progress as a bar for each stage."""

    def __init__(self, console: Console, clock: Callable[[], float]) -> None:
        columns = (TextColumn("{task.description:10}"), BarColumn(), MofNCompleteColumn(), _Words(clock))
        self._progress = Progress(*columns, console=console)
        self._bar: TaskID | None = None

    def start(self) -> None: ...

    def begin(self, pace: Pace) -> None:
        self._progress.start()
        self._bar = self._progress.add_task(pace.name, completed=pace.done, total=pace.total, pace=pace)

    def task(self, pace: Pace) -> None:
        if self._bar is not None:
            self._progress.update(self._bar, completed=pace.done)

    def end(self) -> None:
        if self._bar is not None:
            self._progress.stop()


class _Words(ProgressColumn):
    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self._clock = clock

    def render(self, task: Task) -> Text:
        return Text(task.fields["pace"].in_words(self._clock()))


class Lines:
    """Progress as a line after each SHARE of a stage, and at least each PERIOD, for logs, which show no bars."""

    def __init__(self, console: Console, clock: Callable[[], float]) -> None:
        self._console = console
        self._clock = clock
        self._told = (0, 0.0)
        self._pace: Pace | None = None
        self._heartbeat = Heartbeat(self._tell)

    def start(self) -> None:
        self._heartbeat.start()

    def begin(self, pace: Pace) -> None:
        self._told, self._pace = (pace.done, pace.began), pace

    def task(self, pace: Pace) -> None:
        done, time = self._told
        now = self._clock()
        if pace.done - done >= SHARE * pace.total or now - time >= PERIOD or pace.done == pace.total:
            self._told = (pace.done, now)
            self._heartbeat.restart()
            self._tell()

    def end(self) -> None:
        self._heartbeat.stop()

    def _tell(self) -> None:
        pace = self._pace
        if pace is not None:
            line = f"{pace.name} {pace.done}/{pace.total} {pace.in_words(self._clock())}"
            self._console.print(line.rstrip(), markup=False)


class Display:
    """An observer that shows a run on the terminal. It begins with the accuracy and the notes on the input."""

    def __init__(self, console: Console, clock: Callable[[], float] = monotonic) -> None:
        self._console = console
        self._clock = clock
        self._shown: Bars | Lines = (Bars if console.is_terminal else Lines)(console, clock)
        self._pace = Pace("", 0, 0, 0.0)

    def __enter__(self) -> Self:
        self._shown.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shown.end()

    def on_store(self, attributes: RunAttributes) -> None:
        correct, n = attributes.correct, attributes.plan.sizes["image"]
        share = f"{correct / n:.1%} of {n} clean images are classified as labelled"
        self._console.print(share)
        print_notes(self._console, attributes.notes, attributes.self_checks)

    def on_stage(self, name: str, done: int, total: int) -> None:
        if done == total:
            self._console.print(f"{name}: nothing to do, all {total} tasks are done")
        self._pace = Pace(name, done, total, self._clock())
        self._shown.begin(self._pace)

    def on_wait(self, name: str, n: int) -> None:
        self._console.print(f"{name}: {n} tasks wait for others, whose output they read")

    def on_task(self, outcome: Outcome) -> None:
        if outcome.error is not None:
            self._console.print(f"failed: {outcome.error}", markup=False)
        self._pace.record(outcome, self._clock())
        self._shown.task(self._pace)


class Observers:
    """Several observers that are told the same."""

    def __init__(self, *observers: Observer) -> None:
        self._observers: Iterable[Observer] = observers

    def on_store(self, attributes: RunAttributes) -> None:
        for observer in self._observers:
            observer.on_store(attributes)

    def on_stage(self, name: str, done: int, total: int) -> None:
        for observer in self._observers:
            observer.on_stage(name, done, total)

    def on_wait(self, name: str, n: int) -> None:
        for observer in self._observers:
            observer.on_wait(name, n)

    def on_task(self, outcome: Outcome) -> None:
        for observer in self._observers:
            observer.on_task(outcome)
