"""Places that refuse to be written: the run stops at once, no receipt is false, and it goes on when they are well."""

import errno
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import pytest
from command_line import Command, CommandEnd
from fault_trials import FaultTrial
from s3_server import Bucket, Request
from small_audits import copy_store, object_path, shard_key, tree
from zarr.core.sync import sync
from zarr.storage import LocalStore

from pipeline.plan.tasks import Task
from pipeline.store.location import Location
from pipeline.store.receipts import RECEIPTS
from pipeline.store.store import NAME

pytestmark = pytest.mark.faults

NO_REPORT = ("--stage", "score")
PAGE = 4096
"""Bytes that a file system keeps files in."""
ONE_OF_EACH = [Task("perturb", 0, 0), Task("perturb", 0, 3), Task("attribute", 0, 0), Task("score", 0, 0)]
"""Writing masks, evidence of an attack, maps, scores."""


class Disk(Protocol):
    """A file system that can be full, and read-only."""

    def resize(self, n_bytes: int) -> None: ...

    def refuse_writes(self) -> None: ...

    def allow_writes(self) -> None: ...


class MemoryDisk:
    """A tmpfs, which takes root to mount."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mount("size=64m")

    def resize(self, n_bytes: int) -> None:
        self._mount(f"remount,size={n_bytes}")

    def refuse_writes(self) -> None:
        self._mount("remount,ro")

    def allow_writes(self) -> None:
        self._mount("remount,rw")

    def remove(self) -> None:
        subprocess.run(["umount", str(self._folder)], check=True)

    def _mount(self, options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self._folder)]
        subprocess.run(command, check=True, capture_output=True)


class PlayedDisk:
    """Zarr's local store, made to refuse as a disk does: where nothing may be mounted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._room, self._is_writable = 64 * 2**20, True
        write = LocalStore.set

        async def refusing(store: LocalStore, key: str, value: Any) -> None:
            self._room -= PAGE * -(-len(value) // PAGE)
            if not self._is_writable:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(store.root / key))
            if self._room < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            await write(store, key, value)

        monkeypatch.setattr(LocalStore, "set", refusing)

    def resize(self, n_bytes: int) -> None:
        self._room = n_bytes

    def refuse_writes(self) -> None:
        self._is_writable = False

    def allow_writes(self) -> None:
        self._is_writable = True


def may_mount(folder: Path) -> bool:
    if os.name != "posix" or os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    try:
        MemoryDisk(folder).remove()
    except subprocess.CalledProcessError:
        return False
    return True


@pytest.fixture
def disk(trial: FaultTrial, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """The file system of the trial's run."""
    folder = trial.folder / trial.out
    folder.mkdir()
    if not may_mount(folder):
        yield PlayedDisk(monkeypatch)
        return
    mounted = MemoryDisk(folder)
    yield mounted
    mounted.remove()


def again(trial: FaultTrial, command: Command) -> CommandEnd:
    return command("run", trial.spec, "--out", trial.out, *NO_REPORT)


def test_a_full_disk_leaves_no_false_receipt(trial: FaultTrial, command: Command, disk: Disk) -> None:
    sizes = [file.stat().st_size for file in Path(str(trial.reference.job.store)).rglob("*") if file.is_file()]
    disk.resize(PAGE * sum(-(-size // PAGE) for size in sizes) // 2)
    end = again(trial, command)
    assert end.code == 5
    assert "No space left on device" in end.err.splitlines()[-1]
    finished = trial.done_tasks()
    assert 0 < len(finished) < len(list(trial.context.plan.all_tasks()))
    disk.resize(64 * 2**20)
    trial.settle("the disk is full", end, len(finished - trial.done_tasks()), again(trial, command))


def test_a_read_only_store_is_told_at_once(trial: FaultTrial, command: Command, disk: Disk) -> None:
    assert command("run", trial.spec, "--out", trial.out, "--stage", "perturb").code == 0
    before = trial.done_tasks()
    assert before
    disk.refuse_writes()
    end = again(trial, command)
    assert end.code == 5
    assert "Read-only file system" in end.err.splitlines()[-1]
    disk.allow_writes()
    trial.settle("the store is read-only", end, len(before - trial.done_tasks()), again(trial, command))


def in_bucket(trial: FaultTrial, bucket: Bucket) -> tuple[Path, Location]:
    """The trial's spec with its store in a bucket, and that store."""
    spec = trial.spec.with_name(f"{bucket.name}.toml")
    spec.write_text(bucket.table("audits") + trial.spec.read_text(encoding="utf-8"), encoding="utf-8")
    return spec, bucket / "audits" / NAME


def nth(n: int, and_all_after: bool = False) -> Callable[[], bool]:
    """Whether a call of it is the nth, counted from 0."""
    calls = count()
    return lambda: (number := next(calls)) == n or (and_all_after and number > n)


def refusing_put(is_refused: Callable[[], bool]) -> Callable[[Request], str | None]:
    return lambda request: "403 AccessDenied" if request.method == "PUT" and is_refused() else None


def test_a_bucket_that_refuses_stops_the_run(trial: FaultTrial, command: Command, bucket: Bucket) -> None:
    spec, store = in_bucket(trial, bucket)
    n_objects = len(tree(trial.reference.job.store))
    bucket.server.answer = refusing_put(nth(n_objects // 2, and_all_after=True))
    end = command("run", spec, "--out", trial.out, *NO_REPORT)
    assert end.code == 5
    assert "AccessDenied it is" in end.err.splitlines()[-1]
    before = trial.done_tasks(store)
    assert before
    bucket.server.answer = None
    ended = command("run", spec, "--out", trial.out, *NO_REPORT)
    lost = before - trial.done_tasks(store)
    trial.settle("a bucket refuses to be written", end, len(lost), ended, store)


def objects_of(trial: FaultTrial, task: Task) -> Sequence[str]:
    """Return what the task writes, by key."""
    plan = trial.context.plan
    return [*(shard_key(plan, task, variable.name) for variable in plan.variables(task)), f"{RECEIPTS}/{task.key}"]


def test_whichever_write_of_a_task_fails_leaves_no_receipt(
    trial_with_attacks: FaultTrial, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial, write = trial_with_attacks, LocalStore.set
    store = trial.folder / trial.out / NAME
    copy_store(trial.reference.job.store, store)
    for task in ONE_OF_EACH:
        keys = objects_of(trial, task)
        for n in range(len(keys)):
            for key in keys:
                object_path(store, key).unlink()
            fails = nth(n)

            async def failing(local: LocalStore, key: str, value: Any, fails: Callable[[], bool] = fails) -> None:
                if fails():
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
                await write(local, key, value)

            before = trial.done_tasks()
            with monkeypatch.context() as patched:
                patched.setattr(LocalStore, "set", failing)
                end = again(trial, command)
            assert end.code == 5
            assert [object_path(store, key).exists() for key in keys] == [True] * n + [False] * (len(keys) - n)
            assert trial.done_tasks() == before
            trial.settle("one write fails", end, 0, again(trial, command))


def test_whichever_request_of_a_task_fails_leaves_no_receipt(
    trial_with_attacks: FaultTrial, command: Command, bucket: Bucket
) -> None:
    trial = trial_with_attacks
    spec, store = in_bucket(trial, bucket)
    assert command("run", spec, "--out", trial.out, *NO_REPORT).code == 0
    for task in ONE_OF_EACH:
        keys = objects_of(trial, task)
        for n in range(len(keys)):
            for key in keys:
                delete(store, key)
            before = trial.done_tasks(store)
            bucket.server.answer = refusing_put(nth(n))
            end = command("run", spec, "--out", trial.out, *NO_REPORT)
            bucket.server.answer = None
            assert end.code == 5
            assert trial.done_tasks(store) == before
            trial.settle("one request fails", end, 0, command("run", spec, "--out", trial.out, *NO_REPORT), store)


def delete(store: Location, key: str) -> None:
    sync(store.open().delete(key))
