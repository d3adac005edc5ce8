"""Damage is found where it is read, is laid to the task that wrote it, and is repaired without a trace."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from small_audits import object_path, tree
from small_stores import PLAN, arrays, make, shard_file

from pipeline.plan.stages import STAGES, VARIABLES
from pipeline.plan.tasks import Task
from pipeline.store.store import (
    Store,
)
from srd.errors import DamagedTask


@pytest.mark.parametrize("task", [Task("attribute", 0, 1), Task("attribute", 2, 0)], ids=["whole tile", "last tile"])
@pytest.mark.parametrize("damage", [b"", b"\0", "half", "all but a byte", "flipped"])
def test_a_damaged_shard_is_replaced(path: Path, made: Store, task: Task, damage: bytes | str) -> None:
    made.write(task, arrays(task, seed=1))
    for name in arrays(task):
        file = shard_file(path, task, name)
        content = file.read_bytes()
        cut = {"half": content[: len(content) // 2], "all but a byte": content[:-1], "flipped": content[::-1]}
        file.write_bytes(damage if isinstance(damage, bytes) else cut[damage])
    made.write(task, arrays(task))
    for name, values in arrays(task).items():
        assert made.read(name, *PLAN.region(task, VARIABLES[name])).tobytes() == values.tobytes()


def test_a_repaired_store_is_the_store_that_was_never_damaged(path: Path, made: Store, tmp_path: Path) -> None:
    other = tmp_path / "other"
    undisturbed = make(other)
    for task in PLAN.all_tasks():
        undisturbed.write(task, arrays(task))
        made.write(task, arrays(task))
    task = Task("attribute", 1, 0)
    shard_file(path, task, "attribution").write_bytes(b"")
    made.write(task, arrays(task))
    assert tree(path) == tree(other)


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


@pytest.mark.parametrize("stage", STAGES)
def test_any_damage_is_laid_to_the_task_that_wrote_it(path: Path, made: Store, stage: str) -> None:
    """Each shard missing, empty, broken off, or with a bit flipped, in places all over it."""
    for task in PLAN.tasks(stage):
        made.write(task, arrays(task))
    task = list(PLAN.tasks(stage))[-1]
    for name in arrays(task):
        file = shard_file(path, task, name)
        whole = file.read_bytes()
        places = range(0, len(whole), max(1, len(whole) // 5))
        for damaged in (None, b"", *(whole[:place] for place in places), *(flipped(whole, place) for place in places)):
            file.unlink() if damaged is None else file.write_bytes(damaged)
            with pytest.raises(DamagedTask, match=f"^{task.key}: {name} ") as caught:
                made.read_output(task, [name])
            assert caught.value.key == task.key
        assert [error.key for error in made.find_damage(PLAN.tasks(stage))] == [task.key]
        file.write_bytes(whole)
    assert not list(made.find_damage(PLAN.tasks(stage)))


def test_a_missing_shard_of_what_reads_the_same_is_damage_as_well(path: Path, made: Store) -> None:
    task = Task("score", 0, 0)
    made.write(task, {name: np.zeros_like(values) for name, values in arrays(task).items()})
    assert made.read_output(task, ["reason"])
    shard_file(path, task, "reason").unlink()
    with pytest.raises(DamagedTask, match=f"^{task.key}: reason is missing$"):
        made.read_output(task, ["reason"])


def test_a_whole_shard_of_other_values_is_damage_as_well(path: Path, made: Store) -> None:
    one, other = Task("perturb", 0, 0), Task("perturb", 1, 0)
    for task in (one, other):
        made.write(task, arrays(task))
    shard_file(path, one, "input").write_bytes(shard_file(path, other, "input").read_bytes())
    with pytest.raises(DamagedTask, match=r"^perturb-00000-00: input is not what the receipt says$"):
        made.read_output(one, ["input"])


@pytest.mark.parametrize("text", [None, "", "{", "[]", "{}", '{"sha256": {}}'])
def test_without_a_true_receipt_nothing_is_believed(path: Path, made: Store, text: str | None) -> None:
    task = Task("attribute", 0, 0)
    made.write(task, arrays(task))
    receipt = object_path(path, "_ledger", task.key)
    receipt.unlink() if text is None else receipt.write_text(text, encoding="utf-8")
    with pytest.raises(DamagedTask, match=f"^{task.key}: "):
        made.read_output(task, ["scale"])


def test_a_damaged_task_is_known_in_every_process() -> None:
    error = pickle.loads(pickle.dumps(DamagedTask("score-00000-01", "score cannot be read")))
    assert (error.key, str(error), error.exit_code) == ("score-00000-01", "score-00000-01: score cannot be read", 4)


@pytest.mark.parametrize("stage", STAGES)
def test_a_shard_that_is_larger_than_what_its_task_wrote_is_not_read(path: Path, made: Store, stage: str) -> None:
    task = next(iter(PLAN.tasks(stage)))
    made.write(task, arrays(task))
    for name in arrays(task):
        os.truncate(shard_file(path, task, name), 2**40)
    (damage,) = made.find_damage([task])
    assert "is larger than what the task wrote" in str(damage)
