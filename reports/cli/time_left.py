"""The time that is left of a run, by cost: a manipulation costs thousands of times what noise costs."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cache
from itertools import product
from typing import Protocol

from pipeline.execution.executors import Outcome
from pipeline.plan.conditions import Condition
from pipeline.plan.selection import Selection
from pipeline.plan.stages import STAGES
from pipeline.plan.tasks import Plan, Task, TaskColumn

SameCost = Callable[[TaskColumn], Hashable]
"""A function that returns the same for columns whose tasks are taken to cost the same until they are measured."""


class Expected(Protocol):
    """The work that tasks are expected to take, for each image; 0 where it is not known."""

    def passes(self, column: TaskColumn) -> float:
        """Return about how many passes of the network the tasks of a column take."""
        ...

    def seconds(self, column: TaskColumn) -> float:
        """Return about how many seconds they take besides."""
        ...


class NothingExpected:
    """Nothing is known of any task before it was measured."""

    def passes(self, column: TaskColumn) -> float:
        """Return 0."""
        return 0.0

    seconds = passes


class Basis(StrEnum):
    """The basis of a time left, as it is told: all was measured, or some is only expected, or not even that."""

    MEASURED = ""
    EXPECTED = "about "
    PARTIAL = "at least "


@dataclass(frozen=True)
class Remaining:
    """The seconds to the end of a run."""

    seconds: float
    basis: Basis

    def __str__(self) -> str:
        return f"{self.basis}{timedelta(seconds=round(self.seconds))} left"


class TimeLeft:
    """The work that is left of a run, and what tasks took so far. Seconds are those of any clock.

    The cost of a column is the mean of its tasks, by image. The first task of a column in each process, which warms up,
    counts until another has ended. A column without any task costs what those of the same cost took, or else its
    passes, each of which takes what those did that were measured, in the same stage if any were.
    """

    def __init__(self, plan: Plan, selection: Selection, same_cost: SameCost, expected: Expected) -> None:
        self._plan, self._same_cost, self._expected = plan, same_cost, expected
        self._passes = cache(expected.passes)  # asked for at each refresh, and read from texts
        self._seconds: defaultdict[Hashable, float] = defaultdict(float)
        self._seen: Counter[Hashable] = Counter()
        """The images of the tasks that took these seconds."""
        self._ended: set[TaskColumn] = set()
        """The columns of which a task has ended."""
        self._warm: set[Hashable] = set()
        """The processes and columns that have ended a task."""
        self._tasks: Counter[TaskColumn] = Counter()
        self._images: Counter[TaskColumn] = Counter()
        self._stage = ""
        self._last_ends: dict[Hashable, float] = {}
        """When each process was last known to begin or to end a task."""
        for stage in selection.stages:
            self._add(task for task in plan.tasks(stage) if selection.share.holds(task))

    def begin(self, stage: str, tasks: Sequence[Task], now: float) -> None:
        """Note that a stage begins, in which these tasks are left, and that those before it have ended."""
        over = list(STAGES)[: list(STAGES).index(stage) + 1]
        for column in [column for column in self._tasks if column[0] in over]:
            del self._tasks[column], self._images[column]
        self._add(tasks)
        self._stage = stage
        self._last_ends = dict.fromkeys(self._last_ends, now)

    def record(self, outcome: Outcome, now: float) -> None:
        """Note that a task has ended. One that failed is left, as it is tried again."""
        work, column = outcome.work, (outcome.task.stage, outcome.task.column)
        if work is None or not self._tasks[column]:
            return
        images = self._plan.n_images(outcome.task)
        process = work.host, work.process
        is_warm = (process, column) in self._warm
        self._warm.add((process, column))
        self._ended.add(column)
        self._last_ends[process] = now
        self._tasks[column] -= 1
        self._images[column] -= images
        for kind in (column, self._same_cost(column)):
            self._seconds[kind, is_warm] += work.seconds
            self._seen[kind, is_warm] += images

    def remaining(self, now: float, workers: int) -> Remaining | None:
        """Return the time left on a number of processes, or None while nothing that is left was measured."""
        left = [column for column, n in self._tasks.items() if n > 0]
        measured = {column: cost for column in left if (cost := self._cost(column)) is not None}
        expected = {column: self._expected_cost(column) for column in left if column not in measured}
        known = {column: cost for column, cost in expected.items() if cost} | measured
        if left and not known:
            return None
        seconds = sum(self._stage_seconds(stage, known, now, workers) for stage in STAGES)
        basis = Basis.MEASURED if len(measured) == len(left) else Basis.EXPECTED
        return Remaining(max(seconds, 0.0), basis if len(known) == len(left) else Basis.PARTIAL)

    def _add(self, tasks: Iterable[Task]) -> None:
        for task in tasks:
            self._tasks[task.stage, task.column] += 1
            self._images[task.stage, task.column] += self._plan.n_images(task)

    def _cost(self, column: TaskColumn) -> float | None:
        """Return the seconds of a column for each image."""
        for measured in product((column, self._same_cost(column)), (True, False)):
            if self._seen[measured]:
                return self._seconds[measured] / self._seen[measured]
        return None

    def _expected_cost(self, column: TaskColumn) -> float:
        """Return the seconds that a column is expected to take for each image."""
        passes = self._passes(column)
        of_pass = self._pass_seconds(column[0]) if passes else 0.0
        return 0.0 if passes and not of_pass else passes * of_pass + self._expected.seconds(column)

    def _pass_seconds(self, stage: str) -> float:
        """Return the seconds of a pass of the network, by the tasks of a stage; if none has ended, by those of all."""
        own = {column for column in self._ended if column[0] == stage} or self._ended
        passes = sum(self._passes(column) * self._count_images(column) for column in own)
        seconds = sum((self._cost(column) or 0.0) * self._count_images(column) for column in own)
        return seconds / passes if passes else 0.0

    def _count_images(self, column: TaskColumn) -> int:
        return self._seen[column, True] + self._seen[column, False]

    def _stage_seconds(self, stage: str, known: dict[TaskColumn, float], now: float, workers: int) -> float:
        columns = {column: self._images[column] * cost for column, cost in known.items() if column[0] == stage}
        if not columns:
            return 0.0
        busy = min(workers, sum(n for column, n in self._tasks.items() if column[0] == stage))
        dearest = max(seconds / self._tasks[column] for column, seconds in columns.items())
        underway = self._seconds_underway(now, busy, dearest) if stage == self._stage else 0.0
        return (sum(columns.values()) - underway) / busy

    def _seconds_underway(self, now: float, busy: int, dearest: float) -> float:
        """Return the seconds that running tasks have taken: of busy processes, which ended their last tasks first."""
        return sum(min(now - ended, dearest) for ended in sorted(self._last_ends.values())[:busy])


def same_cost(conditions: Sequence[Condition]) -> SameCost:
    """Return the function by which perturbations that differ in their strength alone cost the same."""

    def of(column: TaskColumn) -> Hashable:
        stage, index = column
        if STAGES[stage].axis != "perturbation":
            return "alone", column
        condition = conditions[index]
        return stage, condition.name, condition.against, repr(sorted(condition.options.items()))

    return of
