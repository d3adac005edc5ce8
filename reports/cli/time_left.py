"""The time that is left of a run, by cost: a manipulation costs thousands of times what noise costs."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import product

from pipeline.execution.executors import Outcome
from pipeline.plan.conditions import Condition
from pipeline.plan.selection import Selection
from pipeline.plan.stages import STAGES
from pipeline.plan.tasks import Plan, Task, TaskColumn

SameCost = Callable[[TaskColumn], Hashable]
"""A function that returns the same for columns whose tasks are taken to cost the same until they are measured."""


@dataclass(frozen=True)
class Remaining:
    """The seconds to the end of a run."""

    seconds: float
    is_whole: bool
    """Whether all that is left was measured; else it takes at least these seconds."""

    def __str__(self) -> str:
        return f"{'' if self.is_whole else 'at least '}{timedelta(seconds=round(self.seconds))} left"


class TimeLeft:
    """The work that is left of a run, and what tasks took so far. Seconds are those of any clock.

    The cost of a column is the mean of its tasks, by image. The first task of a column in each process, which warms up,
    counts until another has ended. A column without any task costs what those of the same cost took.
    """

    def __init__(self, plan: Plan, selection: Selection, same_cost: SameCost) -> None:
        self._plan, self._same_cost = plan, same_cost
        self._seconds: defaultdict[Hashable, float] = defaultdict(float)
        self._seen: Counter[Hashable] = Counter()
        """The images of the tasks that took these seconds."""
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
        self._last_ends[process] = now
        self._tasks[column] -= 1
        self._images[column] -= images
        for kind in (column, self._same_cost(column)):
            self._seconds[kind, is_warm] += work.seconds
            self._seen[kind, is_warm] += images

    def remaining(self, now: float, workers: int) -> Remaining | None:
        """Return the time left on a number of processes, or None while nothing that is left was measured."""
        costs = {column: self._cost(column) for column, n in self._tasks.items() if n > 0}
        known = {column: cost for column, cost in costs.items() if cost is not None}
        if costs and not known:
            return None
        seconds = sum(self._stage_seconds(stage, known, now, workers) for stage in STAGES)
        return Remaining(max(seconds, 0.0), len(known) == len(costs))

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
