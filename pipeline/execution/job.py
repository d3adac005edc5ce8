"""A run as it is sent to workers."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.spec.audit import AuditSpec
from pipeline.store.location import Location
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
