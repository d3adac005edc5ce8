"""The sources that a store was made with: the files of each stage, with their digests.

The root holds one digest of each stage; this says which file has changed where one differs.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from zarr.abc.store import Store
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync

from pipeline.store.receipts import PREPARATION, Digest

SOURCES = f"{PREPARATION}/sources"
PREPARING = "preparation"
"""The name, among those of the stages, of what is asked of network and data before any task."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StageSources(_Frozen):
    """All that decides what a stage computes, other than data, weights and machine."""

    files: tuple[str, ...]
    spec: Mapping[str, Any] = Field(default_factory=dict)
    """The values of the keys of the spec that only this stage, and others that name them, read."""
    reads: tuple[str, ...] = ()
    """The stages whose output it reads."""


class Sources(_Frozen):
    """The sources of all stages that have tasks, and of the preparation."""

    files: Mapping[str, Digest] = Field(default_factory=dict)
    """The digest of each file, by its path."""
    stages: Mapping[str, StageSources] = Field(default_factory=dict)
    """By name, each after the stages that it reads."""

    def digests(self) -> dict[str, str]:
        """Return the digest of each stage: of its files, its part of the spec and the digests of what it reads."""
        digests: dict[str, str] = {}
        for name, stage in self.stages.items():
            facts = {
                "files": {file: self.files[file] for file in stage.files},
                "spec": dict(stage.spec),
                "reads": {read: digests[read] for read in stage.reads},
            }
            digests[name] = sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
        return digests


def read_sources(store: Store) -> Sources:
    """Return the sources that a store was made with; none if they are missing or damaged, since they only explain."""
    content = sync(store.get(SOURCES, default_buffer_prototype()))
    try:
        return Sources.model_validate_json(content.to_bytes() if content else b"{}")
    except ValidationError:
        return Sources()


def differences(before: Sources, after: Sources, stage: str) -> list[str]:
    """Return what differs of a stage itself: files, and keys of the spec."""
    old, new = (sources.stages.get(stage, StageSources(files=())) for sources in (before, after))
    files = dict.fromkeys((*new.files, *old.files))
    changed = [file for file in files if before.files.get(file) != after.files.get(file)]
    moved = [file for file in files if (file in old.files) != (file in new.files)]
    keys = [key for key in dict.fromkeys((*new.spec, *old.spec)) if old.spec.get(key) != new.spec.get(key)]
    return [*dict.fromkeys((*changed, *moved)), *keys]
