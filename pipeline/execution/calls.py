"""What workers are asked to do, in words that need no torch where they are sent from."""

from pipeline.execution.executors import Work
from pipeline.execution.job import Job
from pipeline.plan.tasks import Task
from pipeline.store.attributes import RunAttributes


def prepare(job: Job) -> RunAttributes:
    """Load model and data and make the store, or open it; return its attributes. Raises as `worker.prepare`."""
    from pipeline.execution import worker

    return worker.prepare(job)


def perform(job: Job, task: Task) -> Work:
    """Runs one task to its receipt in this process. Raises as `worker.perform`."""
    from pipeline.execution import worker

    return worker.perform(job, task)
