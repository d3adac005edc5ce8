"""What a process that runs tasks does for a job."""

import os
import platform
from time import perf_counter
from typing import Any

from pipeline import devices
from pipeline.environment import reproducible
from pipeline.executors import Work
from pipeline.jobs import FATAL, Job
from pipeline.plan import Task
from pipeline.preparation import prepare
from pipeline.stages.compute import compute
from pipeline.subjects import context_of, load
from srd.errors import DamagedTask, StageError


def prepared(job: Job) -> dict[str, Any]:
    """Loads model and data and makes the store, or opens it; returns its attributes. Raises as `load` and `prepare`."""
    return prepare(job, load(job))


def perform(job: Job, task: Task) -> Work:
    """Runs one task to its receipt in this process.

    Raises StageError, naming the task, for whatever goes wrong in it; OSError, ForeignWorker, and DamagedTask, naming
    the task whose work it could not read, as they are.
    """
    started = perf_counter()
    try:
        with reproducible():
            context = context_of(job)
            context.store.write(task, compute(context, task))
    except (*FATAL, DamagedTask):
        raise
    except Exception as error:
        raise StageError(f"{task.key} failed: {type(error).__name__}: {error}") from error
    return Work(platform.node(), devices.name(), os.getpid(), perf_counter() - started)
