"""The receipts of the tasks that are done, and the errors of the tasks that failed."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatch

from zarr.abc.store import Store
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync
from zarr.storage import LocalStore

from pipeline.plan.tasks import Task
from srd.errors import DamagedTask

RECEIPTS = "_ledger"
FAILURES = "_failures"
METADATA = "zarr.json"
LITTER = "*.partial"  # what a killed process leaves of an object it was writing


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
    """The receipts and failures in a store: one small object for each task, under the task's key."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def task_keys(self) -> frozenset[str]:
        """Return the keys of all tasks that have a receipt."""
        return self._keys(RECEIPTS)

    def digests(self, task: Task) -> dict[str, str]:
        """Return the SHA-256 of every array that the task wrote.

        Raises
        ------
        DamagedTask
            If the receipt is missing or unreadable.
        """
        text = self._get(f"{RECEIPTS}/{task.key}")
        try:
            digests: dict[str, str] = json.loads(text)["sha256"]
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedTask(task.key, "its receipt cannot be read" if text else "it has no receipt") from error
        return digests

    def withdraw(self, keys: Iterable[str]) -> None:
        """Delete the receipts of tasks, which then count as missing and will be done again."""
        for key in keys:
            sync(self._store.delete(f"{RECEIPTS}/{key}"))

    def record_failures(self, failures: Mapping[str, Failure]) -> None:
        """Record why tasks failed, by key, and delete the failures of tasks that have been done since."""
        known = self._keys(FAILURES)
        for key in known & self.task_keys() if known else ():  # as in `failures`
            sync(self._store.delete(f"{FAILURES}/{key}"))
        for key, failure in failures.items():
            self._set(f"{FAILURES}/{key}", asdict(failure))

    def failures(self) -> dict[str, Failure]:
        """Return why tasks failed, by key, except those that have been done since."""
        failed = self._keys(FAILURES)
        left = sorted(failed - self.task_keys()) if failed else ()  # to list all receipts takes most of `status`
        found = ((key, self._get(f"{FAILURES}/{key}")) for key in left)
        return {key: Failure(**json.loads(text)) for key, text in found if text}  # another driver may have mended one

    def write(self, task: Task, digests: Mapping[str, str]) -> None:
        """Write the receipt of a task whose arrays are all written."""
        self._set(f"{RECEIPTS}/{task.key}", {"sha256": dict(digests)})

    def _keys(self, folder: str) -> frozenset[str]:
        return frozenset(name for name in self._names(folder) if not fnmatch(name, LITTER)) - {METADATA}

    def _names(self, folder: str) -> list[str]:
        """Return the names in a folder.

        A disk is asked directly: zarr takes half a second for 100,000 names.
        """
        if isinstance(self._store, LocalStore):
            path = self._store.root / folder
            return os.listdir(path) if path.exists() else []  # noqa: PTH208  which makes a Path of each

        async def list_names() -> list[str]:
            return [name async for name in self._store.list_dir(folder)]

        return sync(list_names())

    def _get(self, key: str) -> bytes:
        content = sync(self._store.get(key, default_buffer_prototype()))
        return content.to_bytes() if content else b""

    def _set(self, key: str, content: Mapping[str, object]) -> None:
        text = json.dumps(content, sort_keys=True).encode()
        sync(self._store.set(key, default_buffer_prototype().buffer.from_bytes(text)))
