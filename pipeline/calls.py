"""What workers are asked to do, in words that need no torch where they are sent from."""

from pipeline.attributes import RunAttributes
from pipeline.executors import Work
from pipeline.job import Job
from pipeline.plan import Task


def prepare(job: Job) -> RunAttributes:
    """Load model and data and make the store, or open it; return its attributes. Raises as `worker.prepare`."""
    from pipeline import worker

    return worker.prepare(job)


def perform(job: Job, task: Task) -> Work:
    """Runs one task to its receipt in this process. Raises as `worker.perform`."""
    from pipeline import worker

    return worker.perform(job, task)
