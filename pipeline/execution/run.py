"""A run from spec to finished store: prepare, then stage after stage, continuing where the last one stopped.

The process that runs it schedules, and needs no torch unless it runs the tasks as well.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from pipeline.execution import calls
from pipeline.execution.executors import Executor, Outcome, Perform
from pipeline.execution.job import FATAL, Job
from pipeline.plan.dependencies import Dependencies
from pipeline.plan.selection import ALL, WHOLE, Selection
from pipeline.plan.tasks import Plan, Task
from pipeline.store import store
from pipeline.store.attributes import RunAttributes
from pipeline.store.capacity import refuse_hopeless_store
from pipeline.store.receipts import failure_of
from srd.errors import DamagedTask, FailedByBug, FailedTasks, IncompleteRun, StageError, WorkerLost


class Observer(Protocol):
    """Is told how a run goes on."""

    def on_prepared(self, attributes: RunAttributes) -> None:
        """The store is there, with these attributes."""
        ...

    def on_stage(self, name: str, done: int, total: int) -> None:
        """A stage begins with `done` of its `total` tasks finished before."""
        ...

    def on_blocked(self, name: str, n: int) -> None:
        """So many tasks of a stage cannot run yet: others, whose output they read, have not ended."""
        ...

    def on_task(self, outcome: Outcome) -> None:
        """A task has ended; one that failed may come again."""
        ...


@dataclass(frozen=True)
class PreparedRun:
    """Hold a job whose store is there."""

    job: Job
    attributes: RunAttributes


def prepare(job: Job, executor: Executor) -> PreparedRun:
    """Load model and data where tasks run and make the store, or open it. Raises as `worker.prepare`."""
    attributes = executor.call(calls.prepare, job)
    return PreparedRun(replace(job, fingerprint=attributes.fingerprint), attributes)


def run(prepared: PreparedRun, executor: Executor, observer: Observer, selection: Selection = ALL) -> None:
    """Run what is missing of an extent.

    A task that fails is tried once more, alone if it took its worker with it; then only the tasks that need it are
    left out. Damage found on the way is repaired: the task that wrote it is done again.
    Raises FailedTasks, with the first cause, in the end; OSError (disk, network) and ForeignWorker at once.
    """
    job, plan = prepared.job, prepared.attributes.plan
    observer.on_prepared(prepared.attributes)
    refuse_hopeless_store(plan, job.store)
    filled = store.Store(job.store)
    dependencies = Dependencies(plan, filled.read("target_image").tolist())
    failures = partial(_run_with_retry, executor, partial(calls.perform, job), observer)
    underway = _RunInProgress(selection, plan, filled, dependencies, failures)
    repaired: set[str] = set()
    while True:
        failed = [failure for stage in selection.stages for failure in underway.run(stage, observer)]
        damaged = {failure.error.key for failure in failed if isinstance(failure.error, DamagedTask)} - repaired
        if not damaged:
            break
        filled.receipts.withdraw(damaged)
        repaired |= damaged
    done = filled.receipts.task_keys()
    underway.close(failed, done)
    if all(task.key in done for task in plan.all_tasks()):
        store.remove_litter(job.store)


@dataclass(frozen=True)
class _RunInProgress:
    """A run and what is left of it."""

    selection: Selection
    plan: Plan
    store: store.Store
    dependencies: Dependencies
    failures: Callable[[Sequence[Task]], list[Outcome]]
    """Runs tasks; returns the outcomes of those that failed for good."""

    def run(self, stage: str, observer: Observer) -> list[Outcome]:
        """Runs what can be run of a stage."""
        planned, done = self._planned_tasks(stage), self.store.receipts.task_keys()
        if not planned:
            return []
        missing = [task for task in planned if task.key not in done]
        ready = self._ready_tasks(missing, done)
        observer.on_stage(stage, len(planned) - len(missing), len(planned))
        if len(ready) < len(missing):
            observer.on_blocked(stage, len(missing) - len(ready))
        return self.failures(ready)

    def close(self, failed: Sequence[Outcome], done: frozenset[str]) -> None:
        """Writes down what failed. Raises FailedTasks; IncompleteRun for tasks that an executor has forgotten."""
        self.store.receipts.record_failures({outcome.task.key: failure_of(outcome.error) for outcome in failed})
        missing = [
            task for stage in self.selection.stages for task in self._planned_tasks(stage) if task.key not in done
        ]
        _refuse_failures(failed, len(missing) - len(failed) if self.selection.share == WHOLE else 0)
        _refuse_missing_receipts(self._ready_tasks(missing, done))

    def _planned_tasks(self, stage: str) -> list[Task]:
        return [task for task in self.plan.tasks(stage) if self.selection.share.holds(task)]

    def _ready_tasks(self, tasks: Sequence[Task], done: frozenset[str]) -> list[Task]:
        return [task for task in tasks if all(other.key in done for other in self.dependencies.of(task))]


def _run_with_retry(executor: Executor, perform: Perform, observer: Observer, tasks: Sequence[Task]) -> list[Outcome]:
    """Runs tasks, those that fail once more: alone, if workers were lost with them, as others may be to blame."""
    run = partial(_run_once, executor, perform, observer)
    first = run(tasks)
    damaged = [failure for failure in first if isinstance(failure.error, DamagedTask)]
    alone = [[failure.task] for failure in first if isinstance(failure.error, WorkerLost)]
    together = [failure.task for failure in first if not isinstance(failure.error, (DamagedTask, WorkerLost))]
    return [*damaged, *(failure for again in (together, *alone) for failure in run(again))]


def _run_once(executor: Executor, perform: Perform, observer: Observer, tasks: Sequence[Task]) -> list[Outcome]:
    """Runs tasks once; returns the failures."""
    failed: list[Outcome] = []
    for outcome in executor(tasks, perform):
        observer.on_task(outcome)
        if isinstance(outcome.error, FATAL):
            raise outcome.error
        if outcome.error is not None:
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
    """Whatever the executor says: without receipts of all tasks a run has not ended."""
    if tasks:
        raise IncompleteRun(f"{len(tasks)} tasks have no receipt, the first: {tasks[0].key}")
