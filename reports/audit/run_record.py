"""The record of a run beside its results: its progress, its failures and its verifications."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.store.location import Location
from pipeline.store.receipts import Failure
from pipeline.store.store import attributes, failures, progress
from pipeline.verification.findings import Verification, read_verifications


@dataclass(frozen=True)
class RunRecord:
    """The record of one audit."""

    progress: Mapping[str, tuple[int, int]]
    """Stage -> numbers of tasks done and planned."""
    failures: Mapping[str, Failure] = field(default_factory=dict)
    """Key of a task -> its failure, for tasks that failed each time they were tried."""
    verifications: tuple[Verification, ...] = ()


def record_of(folder: Path, store: Location) -> RunRecord:
    """Return the record of the audit with this folder and store."""
    return RunRecord(progress(store), failures(store), read_verifications(folder, attributes(store).fingerprint))
