"""Laws of the store: it appears whole, a task's region is replaced whole, and its receipt comes last."""

import json
import pickle
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import zarr
from small_audits import Finished, attributes_of, path_of, tree
from zarr.core.buffer import Buffer
from zarr.storage import LocalStore

from pipeline.plan.conditions import conditions
from pipeline.plan.schema import PREPARED
from pipeline.plan.stages import STAGES, VARIABLES
from pipeline.plan.tasks import Plan, Task
from pipeline.spec.audit import parse_spec
from pipeline.store import store as store_module
from pipeline.store.attributes import FORMAT
from pipeline.store.creation import create
from pipeline.store.location import Location
from pipeline.store.receipts import METADATA, Failure
from pipeline.store.store import (
    Arrays,
    Store,
    attributes,
    exists,
    open_results,
    progress,
    remove_litter,
)
from srd.errors import DamagedTask, StoreError

SIZES = {
    "image": 5, "perturbation": 2, "method": 2, "metric": 3, "reference": 3, "similarity": 2,
    "class": 4, "channel": 3, "y": 6, "x": 6, "evidence": 2,
}  # fmt: skip
PLAN = Plan(SIZES, tile=2, has_masks=True, attacks=(1,), universal=(1,))
SPEC = parse_spec(
    {
        "model": {"spec": "demo:vgg"},
        "data": {"path": "demo:shapes"},
        "explain": {"methods": ["srd", "random"]},
        "perturbation": [{"name": "pgd", "strengths": ["8/255"]}],
    },
    "spec",
)
COORDINATES = {"image": [f"a/{n}.png" for n in range(5)], "method": ["srd", "random"]}


def prepared() -> Arrays:
    return {name: np.arange(5) for name in PREPARED}


def make(path: Path, plan: Plan = PLAN) -> Store:
    facts = attributes_of(SPEC, plan, prepared())
    create(at(path), conditions(SPEC), COORDINATES, prepared(), facts)
    return Store(at(path))


def at(path: Path) -> Location:
    return Location(str(path))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / store_module.NAME


@pytest.fixture
def made(path: Path) -> Store:
    return make(path)


def arrays(task: Task, seed: int = 0) -> dict[str, np.ndarray[Any, Any]]:
    """Return arrays that a task might write."""
    random, made = np.random.default_rng([seed, task.tile, task.column]), {}
    for variable in PLAN.variables(task):
        region = PLAN.region(task, variable)
        shape = [len(range(*part.indices(SIZES[dim]))) for part, dim in zip(region, variable.dims, strict=True)]
        made[variable.name] = (random.normal(size=shape) * 9).astype(variable.dtype)
    return made


def shard_file(path: Path, task: Task, name: str) -> Path:
    variable = VARIABLES[name]
    region, shard = PLAN.region(task, variable), variable.shard(SIZES, PLAN.tile)
    position = [(part.start or 0) // size for part, size in zip(region, shard, strict=True)]
    return path.joinpath(name, "c", *map(str, position))


def test_a_store_is_whole_before_any_task(path: Path, made: Store) -> None:
    group = zarr.open_group(path, mode="r")
    assert set(VARIABLES) <= set(group.array_keys())
    for variable in VARIABLES.values():
        array = group[variable.name]
        assert isinstance(array, zarr.Array)
        assert array.shape == tuple(SIZES[dim] for dim in variable.dims)
        assert array.dtype == variable.dtype
        assert (array.shards or array.chunks) == variable.shard(SIZES, PLAN.tile)
        assert array.metadata.dimension_names == variable.dims  # type: ignore[union-attr]
    for name in PREPARED:
        assert (made.read(name) == np.arange(5)).all()
    assert np.isnan(made.read("score")).all()


def test_there_is_no_mask_where_the_data_have_none(path: Path) -> None:
    make(path, replace(PLAN, has_masks=False))
    assert "mask" not in zarr.open_group(path, mode="r")


def test_a_store_that_could_not_be_made_does_not_appear(path: Path) -> None:
    with pytest.raises(KeyError, match="label"):
        create(at(path), conditions(SPEC), COORDINATES, {}, attributes_of(SPEC, PLAN, prepared()))
    assert not path.exists()


def full_disk(monkeypatch: pytest.MonkeyPatch, kth: int) -> None:
    """The kth object and all after it are not written."""
    turns, original = count(), LocalStore.set

    async def failing(self: LocalStore, key: str, value: Buffer) -> None:
        if next(turns) >= kth:
            raise OSError(28, "No space left on device")
        await original(self, key, value)

    monkeypatch.setattr(LocalStore, "set", failing)


def test_a_store_exists_with_its_last_object_and_is_made_again_over_any_part_of_it(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "whole")
    whole = tree(tmp_path / "whole")
    for kth in (0, 1, 20, len(whole) - 1):
        with monkeypatch.context() as patched:
            full_disk(patched, kth)
            with pytest.raises(OSError, match="No space left"):
                make(path)
        assert len(tree(path)) == kth
        assert not exists(at(path))
    (path / "label" / "c" / "0.4f2a.partial").write_bytes(b"half")
    make(path)
    remove_litter(at(path))
    assert tree(path) == whole


def test_the_loser_of_a_race_leaves_the_winners_store(path: Path, made: Store) -> None:
    made.write(Task("perturb", 0, 0), arrays(Task("perturb", 0, 0)))
    before = tree(path.parent)
    make(path)
    assert tree(path.parent) == before


@pytest.mark.parametrize("remains", ["input/c/0/1/0/0/0", "_ledger/perturb-00000-01", "notes.txt"])
def test_remains_of_something_else_are_refused_and_left(path: Path, remains: str) -> None:
    (path / remains).parent.mkdir(parents=True)
    (path / remains).write_bytes(b"mine")
    with pytest.raises(StoreError, match=f"{path}: holds remains of something else, such as {remains}, and no zarr"):
        make(path)
    assert list(tree(path)) == [remains]


@pytest.mark.parametrize("stage", STAGES)
def test_what_is_written_is_read_and_nothing_else_changes(made: Store, stage: str) -> None:
    tasks = [task for task in PLAN.all_tasks() if task.stage == stage]
    for task in tasks:
        made.write(task, arrays(task))
    for task in tasks:
        for name, values in arrays(task).items():
            read = made.read(name, *PLAN.region(task, VARIABLES[name]))
            assert read.tobytes() == values.tobytes()
            assert read.dtype == values.dtype


def test_the_receipt_holds_the_digest_and_nothing_of_time_or_place(path: Path, made: Store) -> None:
    task = Task("attribute", 1, 1)

    def receipt(seed: int = 0) -> str:
        made.write(task, arrays(task, seed=seed))
        return (path / "_ledger" / task.key).read_text()

    first = receipt()
    assert list(json.loads(first)) == ["sha256"]
    assert list(json.loads(first)["sha256"]) == sorted(arrays(task))
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in json.loads(first)["sha256"].values())
    assert task.key in made.receipts.task_keys()
    assert Task("attribute", 1, 0).key not in made.receipts.task_keys()
    assert receipt() == first != receipt(seed=1)


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


@pytest.mark.parametrize("stage", STAGES)
def test_a_result_without_a_single_number_leaves_its_objects_and_receipt(path: Path, made: Store, stage: str) -> None:
    task = Task(stage, 0, 1)
    empty = {
        name: np.full_like(values, np.nan if values.dtype.kind == "f" else 0) for name, values in arrays(task).items()
    }
    made.write(task, empty)
    assert task.key in made.receipts.task_keys()
    assert all(shard_file(path, task, name).stat().st_size for name in empty)


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


def test_two_writers_of_one_region_end_in_the_same_bytes(path: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    task = Task("attribute", 0, 0)
    make(alone).write(task, arrays(task))
    make(path)
    writers = [Thread(target=Store(at(path)).write, args=(task, arrays(task))) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert tree(path) == tree(alone)


def test_the_order_of_tasks_leaves_no_trace(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    one, reverse, tasks = make(path), make(other), list(PLAN.all_tasks())
    for task in tasks:
        one.write(task, arrays(task))
    for task in reversed(tasks):
        reverse.write(task, arrays(task))
    assert tree(path) == tree(other)


def test_results_have_named_dimensions_and_coordinates(finished: Finished) -> None:
    dataset = open_results(finished.job.store)
    context = finished.context
    written = {name: variable for name, variable in VARIABLES.items() if context.plan.holds(variable)}
    assert VARIABLES.keys() - written.keys() == {"displacement"}
    for name, variable in written.items():
        assert dataset[name].dims == variable.dims
    assert dataset["image"].values.tolist() == list(context.data.ids)
    assert dataset["class"].values.tolist() == ["Red", "Green", "Blue"]
    assert dataset["method"].values.tolist() == ["srd", "saliency", "random"]
    assert dataset["method_title"].sel({"method": "srd"}).item() == "SRD"
    assert dataset["perturbation"].values.tolist() == [condition.id for condition in context.conditions]
    selected = dataset.sel(perturbation="manipulate:srd@8/255")
    assert selected["perturbation_name"].item() == "manipulate"
    assert selected["perturbation_strength"].item() == 8 / 255
    assert selected["perturbation_norm"].item() == "L-inf"
    assert selected["perturbation_against"].item() == "srd"
    assert set(dataset["score"].coords) >= {"image", "perturbation", "method", "metric", "perturbation_family"}


def test_results_are_read_when_they_are_used(finished: Finished) -> None:
    dataset = open_results(finished.job.store)
    assert not dataset["attribution"].variable._in_memory
    one = dataset["input"].isel(image=1, perturbation=0).values
    assert one.tobytes() == finished.context.store.read("input", 1, 0).tobytes()


def test_progress_counts_done_and_planned(path: Path, made: Store) -> None:
    made.write(Task("perturb", 0, 0), arrays(Task("perturb", 0, 0)))
    assert progress(at(path)) == {"fit": (0, 1), "perturb": (1, 6), "attribute": (0, 6), "score": (0, 6)}


def test_the_plan_survives_the_store(path: Path, made: Store) -> None:
    assert attributes(at(path)).plan == PLAN


def test_a_folder_without_a_store_says_how_to_start_one(tmp_path: Path) -> None:
    for read in (attributes, progress, open_results):
        with pytest.raises(StoreError, match="no run here; start one with `srd-audit run SPEC`"):
            read(at(tmp_path / "nowhere"))


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_store_whose_metadata_are_damaged_says_what_to_restore(path: Path, made: Store, text: str) -> None:
    (path / "zarr.json").write_text(text)
    with pytest.raises(StoreError, match=r"cannot be read .* restore its zarr\.json"):
        attributes(at(path))


def test_another_zarr_group_is_no_audit(tmp_path: Path) -> None:
    zarr.create_group(tmp_path / "group")
    for read in (attributes, progress, open_results):
        with pytest.raises(StoreError, match="is not the store of an audit"):
            read(at(tmp_path / "group"))


def rewrite(path: Path, **changes: object) -> None:
    """Exchanges root attributes."""
    file = path / METADATA
    root = json.loads(file.read_text())
    root["attributes"] |= changes
    file.write_text(json.dumps(root))


@pytest.mark.parametrize("read", [attributes, progress, open_results, Store])
@pytest.mark.parametrize("number", [1, FORMAT + 1, "2", None])
def test_a_store_in_another_format_is_refused_with_the_way_out(
    path: Path, made: Store, read: Callable[[Location], object], number: object
) -> None:
    rewrite(path, format=number)
    with pytest.raises(StoreError, match=rf"format {number!r}, this version reads format {FORMAT}; run the spec again"):
        read(at(path))


@pytest.mark.parametrize("read", [attributes, progress, open_results, Store])
@pytest.mark.parametrize(
    ("where", "changes"),
    [
        ("plan", {"plan": None}),
        ("plan.tile", {"plan": {"sizes": {}, "tile": "many", "has_masks": True}}),
        ("fingerprinted", {"fingerprinted": {}}),
        ("correct", {"correct": "all"}),
        ("resolutions.srd", {"resolutions": {"srd": [8]}}),
        ("more", {"more": 1}),
    ],
)
def test_damaged_attributes_are_refused_by_name(
    path: Path, made: Store, read: Callable[[Location], object], where: str, changes: dict[str, object]
) -> None:
    rewrite(path, **changes)
    with pytest.raises(StoreError, match=rf"attribute {where}.* is damaged: .* restore its zarr\.json"):
        read(at(path))


def test_litter_is_removed_and_nothing_else(path: Path, made: Store) -> None:
    task = Task("perturb", 0, 0)
    made.write(task, arrays(task))
    before = tree(path)
    (shard_file(path, task, "input").parent / "0.4f2a.partial").write_bytes(b"half")
    remove_litter(at(path))
    assert tree(path) == before


def test_a_receipt_half_written_is_none(path: Path, made: Store) -> None:
    task = Task("perturb", 0, 0)
    made.write(task, arrays(task))
    (path / "_ledger" / "perturb-00001-00.4f2a.partial").write_bytes(b"{")
    assert made.receipts.task_keys() == {task.key}


def test_every_digest_is_of_the_values_in_the_store(finished: Finished) -> None:
    context = finished.context
    for task in context.plan.all_tasks():
        expected = {}
        for variable in context.plan.variables(task):
            values = np.ascontiguousarray(context.store.read(variable.name, *context.plan.region(task, variable)))
            digest = sha256(f"{values.dtype.str} {values.shape} ".encode() + values.tobytes())
            expected[variable.name] = digest.hexdigest()
        stored = json.loads((path_of(finished.job.store) / "_ledger" / task.key).read_text())
        assert stored == {"sha256": expected}


@pytest.mark.parametrize("stage", STAGES)
def test_what_a_task_wrote_is_read_whole(made: Store, stage: str) -> None:
    for task in PLAN.tasks(stage):
        made.write(task, arrays(task))
        read = made.read_output(task, arrays(task))
        assert {name: values.tobytes() for name, values in read.items()} == {
            name: values.tobytes() for name, values in arrays(task).items()
        }
        assert list(made.find_damage([task])) == []


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
    receipt = path / "_ledger" / task.key
    receipt.unlink() if text is None else receipt.write_text(text)
    with pytest.raises(DamagedTask, match=f"^{task.key}: "):
        made.read_output(task, ["scale"])


def test_a_damaged_task_is_known_in_every_process() -> None:
    error = pickle.loads(pickle.dumps(DamagedTask("score-00000-01", "score cannot be read")))
    assert (error.key, str(error), error.exit_code) == ("score-00000-01", "score-00000-01: score cannot be read", 4)


def test_a_part_is_read_for_less_and_a_hole_is_still_seen(path: Path, made: Store) -> None:
    task = Task("attribute", 1, 1)
    written = arrays(task)
    made.write(task, written)
    assert made.read_part(task, "scale", 2, 0, 1) == written["scale"][0, 0, 0]
    assert made.read_part(task, "attribution", 2, 0, 1).tobytes() == written["attribution"][0, 0, 0].tobytes()
    for name in ("scale", "attribution"):
        for damaged in (None, b"", shard_file(path, task, name).read_bytes()[:-5]):
            file = shard_file(path, task, name)
            file.unlink() if damaged is None else file.write_bytes(damaged)
            with pytest.raises(DamagedTask, match=f"^{task.key}: {name} "):
                made.read_part(task, name, 2, 0, 1)


def test_a_map_that_is_not_finite_is_no_hole(made: Store) -> None:
    task = Task("attribute", 0, 0)
    made.write(task, {name: np.full_like(values, np.nan) for name, values in arrays(task).items()})
    assert np.isnan(made.read_part(task, "attribution", 0, 0, 0)).all()


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
