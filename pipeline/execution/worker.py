"""One task, in the process that runs it. What this imports may change the bytes of every task."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from pipeline.execution.executors import Work
from pipeline.execution.job import FATAL, Job
from pipeline.execution.subjects import context_of
from pipeline.machine import devices
from pipeline.machine.environment import reproducible
from pipeline.machine.outputs import divert_stdout
from pipeline.machine.tracebacks import locate
from pipeline.plan.tasks import Task
from pipeline.stages.compute import compute
from srd.errors import DamagedTask, StageError


def perform(job: Job, task: Task) -> Work:
    """Run one task to its receipt in this process.

    Raises
    ------
    StageError
        With the name of the task, for whatever goes wrong in it.
    DamagedTask
        With the name of another task, whose output it could not read.
    OSError, ForeignWorker
        As they are.
    """
    with locating_errors(job, task):
        context = context_of(job)  # which a process loads once: no part of what its first task takes
        started = perf_counter()
        context.store.write(task, compute(context, task))
        return Work(platform.node(), devices.name(), os.getpid(), perf_counter() - started)


@contextmanager
def locating_errors(job: Job, task: Task) -> Iterator[None]:
    """Make a context for the work of a task, whose errors are those of `perform`."""
    try:
        with divert_stdout(), reproducible():
            yield
    except (*FATAL, DamagedTask):
        raise
    except (Exception, SystemExit) as error:
        origin = locate(error, job.base)
        cause = f"{task.key} failed: {type(error).__name__}: {error}"
        raise StageError(cause, origin.place, origin.traceback, origin.is_own) from error
