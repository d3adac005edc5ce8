"""A run from spec to finished store: prepare, then stage after stage, continuing where the last one stopped."""

import os
import platform
from collections.abc import Sequence
from functools import partial
from time import perf_counter
from typing import Any, Protocol

from pipeline import store
from pipeline.capacity import refuse_hopeless_store
from pipeline.environment import one_thread
from pipeline.executors import Executor, Outcome, Work
from pipeline.plan import Task
from pipeline.preparation import Job, context_of, load, prepare
from pipeline.schema import STAGES
from pipeline.stages import STAGE_FUNCTIONS
from srd.errors import DamagedTask, IncompleteRun, StageError


class Observer(Protocol):
    """Is told how a run goes on."""

    def prepared(self, attributes: dict[str, Any]) -> None:
        """The store is there, with these attributes."""
        ...

    def stage(self, name: str, done: int, total: int) -> None:
        """A stage begins with `done` of its `total` tasks finished before."""
        ...

    def task(self, outcome: Outcome) -> None:
        """A task has ended."""
        ...


def run(job: Job, executor: Executor, observer: Observer, until: str = STAGES[-1]) -> None:
    """Runs all missing tasks up to the stage `until`.

    Raises IncompleteRun, with the first cause, if a task failed: the other tasks of its stage have been run, later
    stages not.
    """
    attributes = prepare(job, load(job))
    observer.prepared(attributes)
    plan = store.plan_of(attributes)
    refuse_hopeless_store(plan, job.store)
    filled = store.Store(job.store, plan)
    for stage in STAGES[: STAGES.index(until) + 1]:
        planned = list(plan.tasks(stage))
        if not planned:
            continue
        missing = filled.missing(planned)
        observer.stage(stage, len(planned) - len(missing), len(planned))
        _run_stage(stage, missing, executor, observer, job)
        _refuse_holes(stage, filled.missing(planned))
    store.remove_litter(job.store)


def perform(job: Job, task: Task) -> Work:
    """Runs one task to its receipt in this process.

    Raises StageError, naming the task, for whatever goes wrong but OSError: a full or unreadable disk stops the run;
    and DamagedTask, naming the task whose work it could not read.
    """
    started = perf_counter()
    try:
        with one_thread():
            context = context_of(job)
            context.store.write(task, STAGE_FUNCTIONS[task.stage](context, task))
    except (OSError, DamagedTask):
        raise
    except Exception as error:
        raise StageError(f"{task.key} failed: {type(error).__name__}: {error}") from error
    return Work(platform.node(), "cpu", os.getpid(), perf_counter() - started)


def _run_stage(stage: str, tasks: Sequence[Task], executor: Executor, observer: Observer, job: Job) -> None:
    failures: list[Outcome] = []
    for outcome in executor(tasks, partial(perform, job)):
        observer.task(outcome)
        if isinstance(outcome.error, OSError):
            raise outcome.error
        if outcome.error is not None:
            failures.append(outcome)
    if failures:
        raise IncompleteRun(
            f"{len(failures)} of {len(tasks)} tasks of stage {stage} failed, the first: {failures[0].error}"
        ) from failures[0].error


def _refuse_holes(stage: str, missing: Sequence[Task]) -> None:
    """No stage reads what another has not finished, whatever the executor says."""
    if missing:
        raise IncompleteRun(f"{len(missing)} tasks of stage {stage} have no receipt, the first: {missing[0].key}")
