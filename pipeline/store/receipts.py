"""The receipts of the tasks that are done, and the errors of the tasks that failed."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from zarr.abc.store import Store
from zarr.core.buffer import Buffer, default_buffer_prototype
from zarr.core.common import concurrent_map
from zarr.core.sync import sync
from zarr.storage import LocalStore

from pipeline.plan.tasks import Plan, Task
from pipeline.store.records import key_in_records, records_folder, refuse_other_folder
from srd.errors import DamagedStore, DamagedTask

RECEIPTS = "_ledger"
FAILURES = "_failures"
PREPARATION = "_preparation"
METADATA = "zarr.json"
LITTER = "*.partial"  # what a killed process leaves of an object it was writing
MOST_OPENED = 1000
"""The most receipts of an object store that are looked for by name: more are missing of a run that is under way."""
OPENED_TOGETHER = 16

DIGEST = 64
"""The characters of a SHA-256."""
Digest = Annotated[str, Field(pattern=f"^[0-9a-f]{{{DIGEST}}}$")]
Digests = Mapping[str, tuple[Digest, ...]]
"""The digests of the chunks of every array that a task wrote, by its name."""


class Receipt(BaseModel):
    """The receipt of a task: what it wrote, and by which code."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: Digest
    """The digest of the sources of its stage."""
    sha256: Digests


@dataclass(frozen=True)
class Failure:
    """The reason why a task failed."""

    error: str
    traceback: str = ""
    """The traceback of the cause, where it was raised; a worker that was lost leaves none."""


def failure_of(error: BaseException | None) -> Failure:
    """Return what is recorded of the error with which a task ended."""
    return Failure(str(error), getattr(error, "traceback", ""))


class Receipts:
    """The receipts and failures in a store: one small object for each task, under the task's key.

    `sources` are the digests of the sources of each stage, for those that read or write receipts.
    """

    def __init__(self, store: Store, sources: Mapping[str, str] = MappingProxyType({})) -> None:
        self._store, self._sources = store, sources
        self._reported: set[str] = set()
        self._withdrawn: set[str] = set()

    def task_keys(self) -> frozenset[str]:
        """Return the keys of all tasks that have a receipt, as far as a listing and this process know.

        The listing of a network's file system may be half a minute old: it may lack what was written since, and hold
        what was deleted.
        """
        return (self._keys(RECEIPTS) | self._reported) - self._withdrawn

    def find(self, keys: Iterable[str]) -> frozenset[str]:
        """Return which of the keys have a receipt. One that no listing shows is opened by its name.

        Of an object store, which lists what it holds, at most `MOST_OPENED` are.
        """
        wanted = frozenset(keys)
        listed = wanted & self.task_keys()
        unlisted = sorted(wanted - listed - self._withdrawn)
        return listed | self._open_by_name(unlisted)

    def report(self, key: str) -> None:
        """Count a task as done whose receipt a worker has written, whatever the next listing shows."""
        self._reported.add(key)
        self._withdrawn.discard(key)

    def digests(self, task: Task) -> Digests:
        """Return the digests of every array that the task wrote.

        Raises
        ------
        DamagedTask
            If the receipt is missing or unreadable, or that of other code, which was at work when the store was made
            anew.
        """
        text = self._get(f"{RECEIPTS}/{task.key}")
        try:
            receipt = Receipt.model_validate_json(text)
        except ValidationError as error:
            raise DamagedTask(task.key, "its receipt cannot be read" if text else "it has no receipt") from error
        if receipt.sources != self._sources[task.stage]:
            raise DamagedTask(task.key, "its receipt is of other code")
        return receipt.sha256

    def read(self, keys: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield each key with its receipt as it is stored, empty if there is none."""
        for key, receipt in self._fetch(list(keys)):
            yield key, receipt.to_bytes() if receipt else b""

    def withdraw(self, keys: Iterable[str]) -> None:
        """Delete the receipts of tasks, which then count as missing and will be done again."""
        for key in keys:
            sync(self._store.delete(f"{RECEIPTS}/{key}"))
            self._reported.discard(key)
            self._withdrawn.add(key)

    def record_failures(self, failures: Mapping[str, Failure]) -> None:
        """Record why tasks failed, by key, and delete the failures of tasks that have been done since."""
        known = self._keys(FAILURES)
        for key in self.find(known) if known else ():  # as in `failures`
            sync(self._store.delete(f"{FAILURES}/{key}"))
        for key, failure in failures.items():
            self._set(f"{FAILURES}/{key}", _FAILURE.dump_json(failure))

    def failures(self) -> dict[str, Failure]:
        """Return why tasks failed, by key, except those that have been done since.

        Raises
        ------
        DamagedStore
            If one of them cannot be read.
        """
        failed = self._keys(FAILURES)
        left = sorted(failed - self.find(failed)) if failed else ()  # to list all receipts takes most of `status`
        found = ((key, self._get(f"{FAILURES}/{key}")) for key in left)
        return {key: _failure(key, text) for key, text in found if text}  # another driver may have mended one

    def write(self, task: Task, digests: Digests) -> None:
        """Write the receipt of a task whose arrays are all written."""
        receipt = Receipt(sources=self._sources[task.stage], sha256=dict(sorted(digests.items())))
        self._set(f"{RECEIPTS}/{task.key}", receipt.model_dump_json().encode())
        self.report(task.key)

    def _open_by_name(self, keys: Sequence[str]) -> frozenset[str]:
        if isinstance(self._store, LocalStore):  # for most there is no file, which costs a microsecond to know
            folder = os.fspath(_folder_of(self._store, RECEIPTS))
            asked = [key for key in keys if os.path.lexists(f"{folder}/{key}")]
        else:
            asked = list(keys[:MOST_OPENED])
        return frozenset(key for key, receipt in self._fetch(asked) if receipt is not None)

    def _fetch(self, keys: Sequence[str]) -> Iterator[tuple[str, Buffer | None]]:
        names = [(f"{RECEIPTS}/{key}", default_buffer_prototype()) for key in keys]
        return zip(keys, sync(concurrent_map(names, self._store.get, OPENED_TOGETHER)), strict=True)

    def _keys(self, folder: str) -> frozenset[str]:
        return frozenset(name for name in self._names(folder) if not fnmatch(name, LITTER)) - {METADATA}

    def _names(self, folder: str) -> list[str]:
        """Return the names in a folder.

        A disk is asked directly: zarr takes half a second for 100,000 names.

        Raises
        ------
        DamagedStore
            If a link or a file lies in the place of the folder: all tasks would seem to be missing, for ever.
        """
        if isinstance(self._store, LocalStore):
            path = _folder_of(self._store, folder)
            for place in (path.parent, path):
                refuse_other_folder(place)
            return os.listdir(path) if path.is_dir() else []  # noqa: PTH208  which makes a Path of each

        async def list_names() -> list[str]:
            return [name async for name in self._store.list_dir(folder)]

        return sync(list_names())

    def _get(self, key: str) -> bytes:
        content = sync(self._store.get(key, default_buffer_prototype()))
        return content.to_bytes() if content else b""

    def _set(self, key: str, content: bytes) -> None:
        sync(self._store.set(key, default_buffer_prototype().buffer.from_bytes(content)))


def sources_in(receipt: bytes) -> str:
    """Return the digest of sources in a receipt; "" if it cannot be read."""
    try:
        return Receipt.model_validate_json(receipt).sources
    except ValidationError:
        return ""


def receipt_size(plan: Plan, task: Task) -> int:
    """Return the bytes of the receipt of a task."""
    chunks = {variable.name: len(plan.rows(task)) if variable.is_large else 1 for variable in plan.variables(task)}
    of_names = sum(len(f'"{name}":[],') for name in chunks)
    empty = len('{"sources":"","sha256":{}}') + DIGEST
    return empty - 1 + of_names + sum(chunks.values()) * (DIGEST + len('"",')) - len(chunks)


_FAILURE = TypeAdapter(Failure)


def _folder_of(store: LocalStore, name: str) -> Path:
    return records_folder(store.root) / key_in_records(name)


def _failure(key: str, text: bytes) -> Failure:
    try:
        return _FAILURE.validate_json(text)
    except ValidationError as error:
        raise DamagedStore(f"{FAILURES}/{key}: cannot be read; remove it, and run the same spec") from error
