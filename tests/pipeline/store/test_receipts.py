"""A receipt comes last and holds digests; a failure is recorded until its task is done."""

import json
import os
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_audits import Finished, object_path, tree
from small_stores import PLAN, arrays, shard_file

from pipeline.plan.stages import VARIABLES
from pipeline.plan.tasks import Task
from pipeline.store import store as store_module
from pipeline.store.location import Location
from pipeline.store.receipts import DIGEST, Failure, receipt_size
from pipeline.store.store import (
    Store,
)
from srd.errors import DamagedStore, DamagedTask


def test_the_receipt_holds_the_digest_and_nothing_of_time_or_place(path: Path, made: Store) -> None:
    task = Task("attribute", 1, 1)

    def receipt(seed: int = 0) -> str:
        made.write(task, arrays(task, seed=seed))
        return object_path(path, "_ledger", task.key).read_text(encoding="utf-8")

    first = receipt()
    assert list(json.loads(first)) == ["sources", "sha256"]
    assert list(json.loads(first)["sha256"]) == sorted(arrays(task))
    digests = json.loads(first)["sha256"]
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for chunks in digests.values() for digest in chunks)
    assert {name: len(chunks) for name, chunks in digests.items()} == {
        name: 2 if VARIABLES[name].is_large else 1 for name in arrays(task)
    }
    assert task.key in made.receipts.task_keys()
    assert Task("attribute", 1, 0).key not in made.receipts.task_keys()
    assert receipt() == first != receipt(seed=1)


def test_the_size_of_every_receipt_is_known_before(path: Path, made: Store) -> None:
    for task in PLAN.all_tasks():
        made.write(task, arrays(task))
        assert receipt_size(PLAN, task) == object_path(path, "_ledger", task.key).stat().st_size


def test_the_receipt_comes_last(made: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    task = Task("score", 0, 0)
    written: list[tuple[str, bool]] = []
    original = store_module._write

    def watching(array: Any, region: Any, values: Any) -> None:
        written.append((array.path, task.key in made.receipts.task_keys()))
        original(array, region, values)

    monkeypatch.setattr(store_module, "_write", watching)
    made.write(task, arrays(task))
    assert written == [(variable.name, False) for variable in PLAN.variables(task)]
    assert task.key in made.receipts.task_keys()


@pytest.mark.parametrize("failing", range(3))
def test_a_write_that_fails_leaves_no_receipt(made: Store, monkeypatch: pytest.MonkeyPatch, failing: int) -> None:
    task = Task("score", 0, 0)
    turns: Iterator[int] = iter(range(99))
    original = store_module._write

    def full(*args: Any) -> None:
        if next(turns) == failing:
            raise OSError(28, "No space left on device")
        original(*args)

    monkeypatch.setattr(store_module, "_write", full)
    with pytest.raises(OSError, match="No space left"):
        made.write(task, arrays(task))
    assert task.key not in made.receipts.task_keys()
    made.write(task, arrays(task))
    assert task.key in made.receipts.task_keys()


def test_done_are_the_tasks_with_a_receipt(made: Store) -> None:
    tasks = list(PLAN.tasks("perturb"))
    made.write(tasks[1], arrays(tasks[1]))
    made.write(tasks[4], arrays(tasks[4]))
    assert made.receipts.task_keys() == {tasks[1].key, tasks[4].key}


@pytest.mark.parametrize("parts", [0, 1])
@pytest.mark.parametrize("kind", ["link", "dangling link", "file"])
def test_a_folder_of_receipts_that_is_none_is_told_instead_of_missing_tasks(
    path: Path, made: Store, parts: int, kind: str
) -> None:
    task = Task("score", 0, 0)
    made.write(task, arrays(task))
    folder = object_path(path, "_ledger", task.key).parents[1 - parts]
    aside = folder.rename(path.parent / "aside")
    if kind == "file":
        folder.touch()
    else:
        folder.symlink_to(aside if kind == "link" else path.parent / "nowhere")
    with pytest.raises(DamagedStore, match=f"{folder}: is a link or a file, not a folder of the store; remove it"):
        made.receipts.task_keys()


def test_a_receipt_half_written_is_none(path: Path, made: Store) -> None:
    task = Task("perturb", 0, 0)
    made.write(task, arrays(task))
    object_path(path, "_ledger", "perturb-00001-00.4f2a.partial").write_bytes(b"{")
    assert made.receipts.task_keys() == {task.key}


def test_every_digest_is_of_the_values_in_the_store(finished: Finished) -> None:
    context = finished.context
    for task in context.plan.all_tasks():
        expected = {}
        for variable in context.plan.variables(task):
            values = np.ascontiguousarray(context.store.read(variable.name, *context.plan.region(task, variable)))
            chunks = list(values) if variable.is_large else [values]
            expected[variable.name] = [
                sha256(
                    f"{task.key} {variable.name} {n} {chunk.dtype.str} {chunk.shape} ".encode() + chunk.tobytes()
                ).hexdigest()
                for n, chunk in enumerate(chunks)
            ]
        stored = json.loads(object_path(finished.job.store, "_ledger", task.key).read_text(encoding="utf-8"))
        assert stored == {"sources": finished.attributes.fingerprinted.sources[task.stage], "sha256": expected}


def test_a_withdrawn_task_is_missing_and_done_again_the_same(path: Path, made: Store) -> None:
    task = Task("score", 0, 1)
    made.write(task, arrays(task))
    before = tree(path)
    made.receipts.withdraw([task.key])
    assert task.key not in made.receipts.task_keys()
    made.write(task, arrays(task))
    assert tree(path) == before


def test_failures_are_kept_until_their_tasks_are_done(path: Path, made: Store) -> None:
    before, (one, other) = tree(path), list(PLAN.tasks("score"))[:2]
    made.receipts.record_failures({one.key: Failure("first")})
    two = {one.key: Failure("of two lines\nand an ü", "Traceback ..."), other.key: Failure("second")}
    made.receipts.record_failures(two)
    assert made.receipts.failures() == two
    made.write(other, arrays(other))
    assert list(made.receipts.failures()) == [one.key]
    made.receipts.record_failures({})
    assert list(made.receipts.failures()) == [one.key]
    made.write(one, arrays(one))
    made.receipts.record_failures({})
    assert set(tree(path)) - set(before) == {
        *(f"_ledger/{task.key}" for task in (one, other)),
        *(str(shard_file(path, task, name).relative_to(path)) for task in (one, other) for name in arrays(task)),
    }


def test_a_receipt_of_other_code_is_none(path: Path, made: Store) -> None:
    """A process that was at work when the store was made anew for other code may end its task afterwards."""
    task = Task("score", 0, 1)
    made.write(task, arrays(task))
    receipt = object_path(path, "_ledger", task.key)
    receipt.write_text(receipt.read_text(encoding="utf-8").replace("0" * DIGEST, "1" * DIGEST), encoding="utf-8")
    with pytest.raises(DamagedTask, match=f"{task.key}: its receipt is of other code"):
        made.read_output(task, ["score"])
    assert [damage.key for damage in made.find_damage([task])] == [task.key]


def test_a_failure_is_past_if_its_task_is_done_though_no_listing_shows_it(
    path: Path, made: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = next(iter(PLAN.tasks("score")))
    made.receipts.record_failures({task.key: Failure("first")})
    made.write(task, arrays(task))
    listing = os.listdir
    monkeypatch.setattr(os, "listdir", lambda folder: [] if str(folder).endswith("/ledger") else listing(folder))
    assert Store(Location(str(path))).receipts.failures() == {}


@pytest.mark.parametrize("thing", ["folder", "link", "large"])
def test_what_is_no_receipt_is_none_by_its_name_either(
    path: Path, made: Store, thing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = next(iter(PLAN.tasks("score")))
    file = object_path(path, "_ledger", task.key)
    file.parent.mkdir()
    if thing == "folder":
        file.mkdir()
    elif thing == "link":
        file.symlink_to(path / "zarr.json")
    else:
        file.touch()
        os.truncate(file, 2**30)
    monkeypatch.setattr(made.receipts, "_names", lambda folder: [])
    assert made.receipts.find([task.key]) == frozenset()
