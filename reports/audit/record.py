"""What is known of a run beside its results: how far it came, what failed, and what was found when it was verified."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.store.location import Location
from pipeline.store.receipts import Failure
from pipeline.store.store import attributes, failures, progress
from pipeline.verification.findings import Verification, read_verifications


@dataclass(frozen=True)
class Record:
    """Of one audit."""

    progress: Mapping[str, tuple[int, int]]
    """Tasks done and planned, per stage."""
    failures: Mapping[str, Failure] = field(default_factory=dict)
    """Why tasks failed whenever they were tried, by key."""
    verifications: tuple[Verification, ...] = ()


def record_of(folder: Path, store: Location) -> Record:
    """Return the record of the audit with this folder and store."""
    return Record(progress(store), failures(store), read_verifications(folder, attributes(store).fingerprint))
