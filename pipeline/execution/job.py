"""A run as it is sent to workers."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.spec.audit import AuditSpec
from pipeline.store.location import Location
from srd.errors import ForeignWorker

FATAL = (OSError, ForeignWorker)
"""Errors that any other task would meet as well."""


@dataclass(frozen=True)
class Job:
    """A run as plain data, from which each process makes its own context once."""

    spec: AuditSpec
    base: Path
    """The folder at which relative paths of the spec start."""
    store: Location
    fingerprint: str = ""
    """The fingerprint of the store, once it is prepared. A worker may outlive a store, and the network that was
    there."""
    trusted: tuple[Path, ...] = ()
    """The files of weights whose code may run; no part of what is audited."""

    def __hash__(self) -> int:
        return hash(self.spec.model_dump_json()) ^ hash((self.base, self.store, self.fingerprint))
