"""The functions that workers call, which need no torch in the process that sends them."""

from importlib import import_module

from pipeline.execution.executors import Work
from pipeline.execution.job import Job
from pipeline.machine.phases import Phase, Tell, tell_nobody
from pipeline.plan.tasks import Task
from pipeline.store.attributes import RunAttributes

IMPORTING = Phase("importing torch")


def prepare(job: Job, tell: Tell = tell_nobody) -> RunAttributes:
    """Load model and data and create the store, or open it; return its attributes.

    Errors are those of `preparation.prepare`.
    """
    tell(IMPORTING)
    from pipeline.execution import preparation

    return preparation.prepare(job, tell)


def import_worker() -> None:
    """Import what tasks need, which takes a process some seconds before its first."""
    import_module("pipeline.execution.worker")


def perform(job: Job, task: Task) -> Work:
    """Run one task to its receipt in this process.

    Errors are those of `worker.perform`.
    """
    from pipeline.execution import worker

    return worker.perform(job, task)
