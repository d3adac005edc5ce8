"""A run from its spec to a finished store: preparation, then stage after stage, continued where the last run stopped.

The process that runs it schedules. It needs no torch unless it also runs the tasks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from pipeline.execution import calls
from pipeline.execution.executors import Executor, Outcome, Perform
from pipeline.execution.job import FATAL, Job
from pipeline.machine.phases import Tell, tell_nobody
from pipeline.plan.dependencies import Dependencies
from pipeline.plan.selection import ALL, WHOLE, Selection
from pipeline.plan.tasks import Plan, Task
from pipeline.store import store
from pipeline.store.attributes import RunAttributes
from pipeline.store.capacity import refuse_hopeless_store
from pipeline.store.receipts import Receipts, failure_of
from srd.errors import DamagedTask, FailedByBug, FailedTasks, IncompleteRun, StageError, WorkerLost


class Observer(Protocol):
    """An object that receives the events of a run."""

    def on_store(self, attributes: RunAttributes) -> None:
        """Receive the attributes of the store, once the store is there."""
        ...

    def on_stage(self, name: str, tasks: Sequence[Task], done: int, total: int) -> None:
        """Receive the start of a stage, which runs these tasks; of its `total` tasks, `done` were finished before."""
        ...

    def on_wait(self, name: str, n: int) -> None:
        """Receive the number of tasks of a stage that wait, because tasks whose output they read have not ended."""
        ...

    def on_task(self, outcome: Outcome) -> None:
        """Receive the end of a task; a task that failed may come again."""
        ...


@dataclass(frozen=True)
class PreparedRun:
    """A job whose store is there, and the attributes of the store."""

    job: Job
    attributes: RunAttributes


def prepare_run(job: Job, executor: Executor, tell: Tell = tell_nobody) -> PreparedRun:
    """Load model and data where tasks run, and create the store or open it.

    Errors are those of `preparation.prepare`.
    """
    attributes = executor.call(calls.prepare, job, tell=tell)
    return PreparedRun(replace(job, fingerprint=attributes.fingerprint), attributes)


def run(prepared: PreparedRun, executor: Executor, observer: Observer, selection: Selection = ALL) -> list[str]:
    """Run the missing tasks of a selection; return the keys of those that wait for the output of other parts.

    A task that fails is tried once more, alone if its worker was lost with it. After that only the tasks that need it
    are left out. Damage that is found on the way is repaired: the task that wrote it is done again.

    Raises
    ------
    FailedTasks
        In the end, with the first cause, if tasks failed.
    OSError, ForeignWorker
        At once, for a disk or network that fails, or a worker that would make other bytes.
    """
    job, plan = prepared.job, prepared.attributes.plan
    observer.on_store(prepared.attributes)
    refuse_hopeless_store(plan, job.store)
    filled = store.Store(job.store)
    dependencies = Dependencies(plan, filled.read("target_image").tolist())
    failures = partial(_run_with_retry, executor, partial(calls.perform, job), observer, filled.receipts)
    underway = _RunInProgress(selection, plan, filled, dependencies, failures)
    repaired: set[str] = set()
    while True:
        failed = [failure for stage in selection.stages for failure in underway.run(stage, observer)]
        damaged = {failure.error.key for failure in failed if isinstance(failure.error, DamagedTask)} - repaired
        if not damaged:
            break
        filled.receipts.withdraw(damaged)
        repaired |= damaged
    waiting = underway.close(failed)
    if underway.is_all_done():
        store.remove_litter(job.store)
    return waiting


@dataclass(frozen=True)
class _RunInProgress:
    """A run, and what is left of it."""

    selection: Selection
    plan: Plan
    store: store.Store
    dependencies: Dependencies
    failures: Callable[[Sequence[Task]], list[Outcome]]
    """A function that runs tasks, and returns the outcomes of those that failed for good."""

    def run(self, stage: str, observer: Observer) -> list[Outcome]:
        """Run those tasks of a stage that can run; return the failures."""
        planned = self._planned_tasks(stage)
        if not planned:
            return []
        missing = self._missing_tasks(planned)
        ready = self._ready_tasks(missing)
        observer.on_stage(stage, ready, len(planned) - len(missing), len(planned))
        if len(ready) < len(missing):
            observer.on_wait(stage, len(missing) - len(ready))
        return self.failures(ready)

    def close(self, failed: Sequence[Outcome]) -> list[str]:
        """Record what failed; return the keys of the selected tasks that are not done.

        Raises
        ------
        FailedTasks
            If tasks failed.
        IncompleteRun
            If an executor has forgotten tasks.
        """
        self.store.receipts.record_failures({outcome.task.key: failure_of(outcome.error) for outcome in failed})
        missing = self._missing_tasks([task for stage in self.selection.stages for task in self._planned_tasks(stage)])
        _refuse_failures(failed, len(missing) - len(failed) if self.selection.share == WHOLE else 0)
        _refuse_missing_receipts(self._ready_tasks(missing))
        return [task.key for task in missing]

    def is_all_done(self) -> bool:
        """Return whether every task of the plan is done, selected or not."""
        return not self._missing_tasks(list(self.plan.all_tasks()))

    def _planned_tasks(self, stage: str) -> list[Task]:
        return [task for task in self.plan.tasks(stage) if self.selection.share.holds(task)]

    def _missing_tasks(self, tasks: Sequence[Task]) -> list[Task]:
        done = self.store.receipts.find(task.key for task in tasks)
        return [task for task in tasks if task.key not in done]

    def _ready_tasks(self, tasks: Sequence[Task]) -> list[Task]:
        """Return the tasks that need not wait: all tasks whose output they read are done."""
        done = self.store.receipts.find({other.key for task in tasks for other in self.dependencies.of(task)})
        return [task for task in tasks if all(other.key in done for other in self.dependencies.of(task))]


def _run_with_retry(
    executor: Executor, perform: Perform, observer: Observer, receipts: Receipts, tasks: Sequence[Task]
) -> list[Outcome]:
    """Run tasks, and those that fail once more; return the failures.

    If a worker was lost with a task, the task is tried alone, as others may be to blame.
    """
    run = partial(_run_once, executor, perform, observer, receipts)
    first = run(tasks)
    damaged = [failure for failure in first if isinstance(failure.error, DamagedTask)]
    alone = [[failure.task] for failure in first if isinstance(failure.error, WorkerLost)]
    together = [failure.task for failure in first if not isinstance(failure.error, (DamagedTask, WorkerLost))]
    return [*damaged, *(failure for again in (together, *alone) for failure in run(again))]


def _run_once(
    executor: Executor, perform: Perform, observer: Observer, receipts: Receipts, tasks: Sequence[Task]
) -> list[Outcome]:
    """Run tasks once; return the failures."""
    failed: list[Outcome] = []
    for outcome in executor(tasks, perform):
        observer.on_task(outcome)
        if isinstance(outcome.error, FATAL):
            raise outcome.error
        if outcome.error is None:
            receipts.report(outcome.task.key)
        else:
            failed.append(outcome)
    return failed


def _refuse_failures(failed: Sequence[Outcome], n_blocked: int) -> None:
    if not failed:
        return
    bugs = [outcome for outcome in failed if isinstance(outcome.error, StageError) and outcome.error.is_own]
    first = (bugs or failed)[0].error
    cause, place = (first.cause, first.place) if isinstance(first, StageError) else (first, "")
    blocked = f"; {n_blocked} tasks that read from these were not run" * (n_blocked > 0)
    message = f"{len(failed)} tasks failed, the first: {cause}{blocked}" + f"\n  {place}" * bool(place)
    raise (FailedByBug if bugs else FailedTasks)(message) from first


def _refuse_missing_receipts(tasks: Sequence[Task]) -> None:
    """Refuse the end of a run while tasks have no receipts, whatever the executor says."""
    if tasks:
        raise IncompleteRun(f"{len(tasks)} tasks have no receipt, the first: {tasks[0].key}")
