"""The functions of a process that runs tasks: preparation, and one task."""

import os
import platform
from time import perf_counter

from pipeline.execution import preparation
from pipeline.execution.executors import Work
from pipeline.execution.job import FATAL, Job
from pipeline.execution.subjects import context_of, load_subject
from pipeline.machine import devices
from pipeline.machine.environment import reproducible
from pipeline.machine.outputs import divert_stdout
from pipeline.machine.phases import Tell, tell_nobody
from pipeline.machine.tracebacks import locate
from pipeline.plan.tasks import Task
from pipeline.stages.compute import compute
from pipeline.store.attributes import RunAttributes
from srd.errors import DamagedTask, StageError


def prepare(job: Job, tell: Tell = tell_nobody) -> RunAttributes:
    """Load model and data and create the store, or open it; return its attributes.

    Errors are those of `load_subject` and `preparation.prepare_store`.
    """
    with divert_stdout():
        return preparation.prepare_store(job, load_subject(job, tell), tell)


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
    try:
        with divert_stdout(), reproducible():
            context = context_of(job)  # which a process loads once: no part of what its first task takes
            started = perf_counter()
            context.store.write(task, compute(context, task))
    except (*FATAL, DamagedTask):
        raise
    except (Exception, SystemExit) as error:
        origin = locate(error, job.base)
        cause = f"{task.key} failed: {type(error).__name__}: {error}"
        raise StageError(cause, origin.place, origin.traceback, origin.is_own) from error
    return Work(platform.node(), devices.name(), os.getpid(), perf_counter() - started)
