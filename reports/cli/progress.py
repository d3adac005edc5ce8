"""The progress of a run: bars on a terminal, or a line now and then in a log."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TaskID, TextColumn
from rich.progress import Task as Bar
from rich.text import Text

from pipeline.estimate.passes import ExpectedWork
from pipeline.execution.executors import Outcome
from pipeline.execution.run import Observer
from pipeline.plan.conditions import conditions
from pipeline.plan.selection import ALL, Selection
from pipeline.plan.tasks import Task
from pipeline.store.attributes import RunAttributes
from reports.cli.heartbeat import PERIOD, REFRESHES, Heartbeat
from reports.cli.notes import print_notes
from reports.cli.time_left import Remaining, TimeLeft, same_cost

SHARE = 0.05
"""Share of a stage after which a line is due."""


@dataclass
class StageProgress:
    """The progress of one stage."""

    name: str
    done: int
    """Tasks done, with those of earlier runs."""
    total: int
    left: Callable[[], object] = str
    """Returns the time left of the run, in words, or None or nothing while it is not known."""
    failed: set[str] = field(default_factory=set)
    """Tasks that have failed and have not been done since."""

    def record(self, outcome: Outcome) -> None:
        """Count a task that has ended."""
        if outcome.error is not None:
            self.failed.add(outcome.task.key)
            return
        self.failed.discard(outcome.task.key)
        self.done += 1

    def in_words(self) -> str:
        """Return the progress in words, such as `at least 0:02:03 left, 1 failed`."""
        left = self.left()
        return ", ".join([str(left)] * bool(left) + [f"{len(self.failed)} failed"] * bool(self.failed))


class Bars:
    """Progress as a bar for each stage. The last one tells the time left."""

    def __init__(self, console: Console) -> None:
        columns = (TextColumn("{task.description:10}"), BarColumn(), MofNCompleteColumn(), _Words())
        self._progress = Progress(*columns, console=console, refresh_per_second=REFRESHES)
        self._bar: TaskID | None = None

    def start(self) -> None: ...

    def begin(self, stage: StageProgress) -> None:
        self._progress.start()
        self._bar = self._progress.add_task(stage.name, completed=stage.done, total=stage.total, stage=stage)

    def task(self, stage: StageProgress) -> None:
        if self._bar is not None:
            self._progress.update(self._bar, completed=stage.done)

    def end(self) -> None:
        if self._bar is not None:
            self._progress.stop()


class _Words(ProgressColumn):
    def render(self, task: Bar) -> Text:
        return Text(task.fields["stage"].in_words())


class Lines:
    """Progress as a line after each SHARE of a stage, and at least each PERIOD, for logs, which show no bars."""

    def __init__(self, console: Console, clock: Callable[[], float]) -> None:
        self._console = console
        self._clock = clock
        self._told = (0, 0.0)
        self._stage: StageProgress | None = None
        self._heartbeat = Heartbeat(self._tell)

    def start(self) -> None:
        self._heartbeat.start()

    def begin(self, stage: StageProgress) -> None:
        self._told, self._stage = (stage.done, self._clock()), stage

    def task(self, stage: StageProgress) -> None:
        done, time = self._told
        now = self._clock()
        if stage.done - done >= SHARE * stage.total or now - time >= PERIOD or stage.done == stage.total:
            self._told = (stage.done, now)
            self._heartbeat.restart()
            self._tell()

    def end(self) -> None:
        self._heartbeat.stop()

    def _tell(self) -> None:
        stage = self._stage
        if stage is not None:
            line = f"{stage.name} {stage.done}/{stage.total} {stage.in_words()}"
            self._console.print(line.rstrip(), markup=False)


class Display:
    """An observer that shows a run on the terminal. It begins with the accuracy and the notes on the input.

    `workers` returns the number of processes.
    """

    def __init__(
        self,
        console: Console,
        selection: Selection = ALL,
        workers: Callable[[], int] = lambda: 1,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._console, self._selection, self._workers, self._clock = console, selection, workers, clock
        self._shown: Bars | Lines = Bars(console) if console.is_terminal else Lines(console, clock)
        self._left: TimeLeft
        self._stage: StageProgress

    def __enter__(self) -> Self:
        self._shown.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shown.end()

    def on_store(self, attributes: RunAttributes) -> None:
        spec, plan = attributes.fingerprinted.spec, attributes.plan
        columns = conditions(spec)
        self._left = TimeLeft(plan, self._selection, same_cost(columns), ExpectedWork(spec, plan, columns))
        correct, n = attributes.correct, attributes.plan.sizes["image"]
        share = f"{correct / n:.1%} of {n} clean images are classified as labelled"
        self._console.print(share)
        print_notes(self._console, attributes.notes, attributes.self_checks)

    def on_stage(self, name: str, tasks: Sequence[Task], done: int, total: int) -> None:
        if done == total:
            self._console.print(f"{name}: nothing to do, all {total} tasks are done")
        self._left.begin(name, tasks, self._clock())
        self._stage = StageProgress(name, done, total, self._remaining)
        self._shown.begin(self._stage)

    def on_wait(self, name: str, n: int) -> None:
        self._console.print(f"{name}: {n} tasks wait for others, whose output they read")

    def on_task(self, outcome: Outcome) -> None:
        if outcome.error is not None:
            self._console.print(f"failed: {outcome.error}", markup=False)
        self._left.record(outcome, self._clock())
        self._stage.record(outcome)
        self._shown.task(self._stage)

    def _remaining(self) -> Remaining | None:
        return self._left.remaining(self._clock(), self._workers())


class Decoration:
    """A display whose errors are told once, and stop no run: it shows what others do."""

    def __init__(self, display: Display, console: Console) -> None:
        self._display, self._console, self._is_whole = display, console, True

    def __enter__(self) -> Self:
        self._try(self._display.__enter__)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._try(self._display.__exit__, kind, error, trace)

    def on_store(self, attributes: RunAttributes) -> None:
        self._try(self._display.on_store, attributes)

    def on_stage(self, name: str, tasks: Sequence[Task], done: int, total: int) -> None:
        self._try(self._display.on_stage, name, tasks, done, total)

    def on_wait(self, name: str, n: int) -> None:
        self._try(self._display.on_wait, name, n)

    def on_task(self, outcome: Outcome) -> None:
        self._try(self._display.on_task, outcome)

    def _try(self, show: Callable[..., object], *event: Any) -> None:
        try:
            show(*event)
        except Exception as error:  # noqa: BLE001  whatever fails to be shown has been done
            if self._is_whole:
                self._console.print(f"the display failed ({error!r}); the run goes on", markup=False)
            self._is_whole = False


class Observers:
    """Several observers that are told the same."""

    def __init__(self, *observers: Observer) -> None:
        self._observers: Iterable[Observer] = observers

    def on_store(self, attributes: RunAttributes) -> None:
        for observer in self._observers:
            observer.on_store(attributes)

    def on_stage(self, name: str, tasks: Sequence[Task], done: int, total: int) -> None:
        for observer in self._observers:
            observer.on_stage(name, tasks, done, total)

    def on_wait(self, name: str, n: int) -> None:
        for observer in self._observers:
            observer.on_wait(name, n)

    def on_task(self, outcome: Outcome) -> None:
        for observer in self._observers:
            observer.on_task(outcome)
