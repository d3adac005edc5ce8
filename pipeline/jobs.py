"""A run as it is sent to workers, and what they are asked to do, in words that need no torch where they are sent."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.attributes import RunAttributes
from pipeline.executors import Work
from pipeline.location import Location
from pipeline.plan import Task
from pipeline.spec import AuditSpec
from srd.errors import ForeignWorker

FATAL = (OSError, ForeignWorker)
"""What no other task would be spared."""


@dataclass(frozen=True)
class Job:
    """A run: plain data, from which each process makes its own context once."""

    spec: AuditSpec
    base: Path
    """Where relative paths of the spec start."""
    store: Location
    fingerprint: str = ""
    """Of the store, once it is prepared: a worker may outlive the store and network that once were there."""

    def __hash__(self) -> int:
        return hash(self.spec.model_dump_json()) ^ hash((self.base, self.store, self.fingerprint))


def prepare(job: Job) -> RunAttributes:
    """Load model and data and make the store, or open it; return its attributes. Raises as `worker.prepare`."""
    from pipeline import worker

    return worker.prepare(job)


def perform(job: Job, task: Task) -> Work:
    """Runs one task to its receipt in this process. Raises as `worker.perform`."""
    from pipeline import worker

    return worker.perform(job, task)
