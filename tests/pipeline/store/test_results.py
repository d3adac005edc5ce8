"""What is read of a store is what its tasks wrote: each value is checked against a receipt."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from small_audits import copy_store, object_path
from small_stores import PLAN, arrays, at, make, shard_file

from pipeline.plan.stages import VARIABLES
from pipeline.plan.tasks import Task
from pipeline.store.results import open_results
from pipeline.store.store import Store
from srd.errors import DamagedStore, StoreError

EVERY = list(PLAN.all_tasks())
WRITTEN = sorted({variable.name for task in EVERY for variable in PLAN.variables(task)})


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("filled") / "audit.zarr"
    store = make(path)
    for task in EVERY:
        store.write(task, arrays(task))
    return path


def whole(name: str, tasks: list[Task]) -> np.ndarray[Any, Any]:
    """Return a variable as the tasks wrote it, missing elsewhere: the slow definition."""
    variable = VARIABLES[name]
    missing = np.nan if np.dtype(variable.dtype).kind == "f" else 0
    values = np.full([PLAN.sizes[dim] for dim in variable.dims], missing, variable.dtype)
    for task in tasks:
        if variable in PLAN.variables(task):
            values[PLAN.region(task, variable)] = arrays(task)[name]
    return values


@pytest.mark.parametrize("name", WRITTEN)
def test_results_are_what_the_tasks_wrote(filled: Path, name: str) -> None:
    np.testing.assert_array_equal(open_results(at(filled))[name].values, whole(name, EVERY))


@pytest.mark.parametrize("form", [str, Path, lambda path: path.as_uri()], ids=["text", "path", "URL"])
@pytest.mark.parametrize("part", ["", "audit.zarr"])
def test_a_run_is_opened_by_its_folder_or_by_that_of_its_store(
    filled: Path, form: Callable[[Path], str | Path], part: str
) -> None:
    place = form(filled.parent / part)
    assert open_results(place).identical(open_results(at(filled)))


def test_a_store_that_lies_elsewhere_is_found_by_the_spec_of_its_run(filled: Path, tmp_path: Path) -> None:
    (tmp_path / "audit.toml").write_text(f'[store]\nurl = "{filled.parent}"\n', encoding="utf-8")
    assert open_results(tmp_path).identical(open_results(at(filled)))


def test_a_store_of_another_name_is_opened_too(filled: Path, tmp_path: Path) -> None:
    copy_store(filled, tmp_path / "copy")
    assert open_results(tmp_path / "copy").identical(open_results(at(filled)))


@pytest.mark.parametrize("name", ["nowhere", "nowhere/audit.zarr"])
def test_a_place_without_a_store_is_refused_by_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match=f"{tmp_path}/nowhere/audit.zarr: "):
        open_results(tmp_path / name)


def index(size: int) -> st.SearchStrategy[Any]:
    inside = st.integers(-size, size - 1)
    steps = st.builds(slice, st.integers(0, size - 1), st.just(size), st.integers(1, size))
    return inside | st.lists(inside, min_size=1, max_size=4) | steps | st.just(slice(None, None, -1))


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_any_selection_is_that_of_the_array(filled: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(WRITTEN))
    dims = VARIABLES[name].dims
    selection = {dim: data.draw(index(PLAN.sizes[dim])) for dim in dims}
    expected = xr.DataArray(whole(name, EVERY), dims=dims).isel(selection).values
    np.testing.assert_array_equal(open_results(at(filled))[name].isel(selection).values, expected)


def test_what_has_no_receipt_reads_as_missing(path: Path, made: Store) -> None:
    for task in EVERY:
        made.write(task, arrays(task))
    undone = [task for task in EVERY if task.tile == 1 or task.column == 0]
    made.receipts.withdraw(task.key for task in undone)
    dataset, done = open_results(at(path)), [task for task in EVERY if task not in undone]
    for name in WRITTEN:
        np.testing.assert_array_equal(dataset[name].values, whole(name, done))


def exchange_shards(path: Path, one: Task, other: Task, name: str) -> None:
    first, second = (shard_file(path, task, name) for task in (one, other))
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)


def exchange_receipts(path: Path, one: Task, other: Task) -> None:
    first, second = (object_path(path, "_ledger", task.key) for task in (one, other))
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)


def shards_alone(path: Path, one: Task, other: Task, name: str) -> None:
    exchange_shards(path, one, other, name)


def shards_and_receipts(path: Path, one: Task, other: Task, name: str) -> None:
    for variable in PLAN.variables(one):
        if variable in PLAN.variables(other):
            exchange_shards(path, one, other, variable.name)
    exchange_receipts(path, one, other)


@pytest.mark.parametrize("exchange", [shards_alone, shards_and_receipts])
@pytest.mark.parametrize(
    ("one", "other", "name"),
    [
        (Task("perturb", 0, 1), Task("perturb", 1, 1), "input"),
        (Task("attribute", 0, 0), Task("attribute", 0, 1), "attribution"),
        (Task("attribute", 0, 0), Task("attribute", 1, 0), "scale"),
        (Task("score", 0, 0), Task("score", 0, 1), "score"),
    ],
)
def test_exchanged_results_are_refused(
    path: Path, made: Store, exchange: Callable[..., None], one: Task, other: Task, name: str
) -> None:
    for task in EVERY:
        made.write(task, arrays(task))
    exchange(path, one, other, name)
    dataset = open_results(at(path))
    with pytest.raises(DamagedStore, match=f"{one.key}: {name} is not what the receipt says"):
        dataset[name].isel(image=0).load()
    assert {damage.key for damage in made.find_damage(EVERY)} == {one.key, other.key}


def test_exchanged_images_within_a_shard_are_refused(path: Path, made: Store) -> None:
    task = Task("perturb", 0, 0)
    written = arrays(task)
    made.write(task, written)
    receipt = object_path(path, "_ledger", task.key).read_bytes()
    made.write(task, {**written, "input": written["input"][::-1]})
    object_path(path, "_ledger", task.key).write_bytes(receipt)
    with pytest.raises(DamagedStore, match="perturb-00000-00: input is not what the receipt says"):
        open_results(at(path))["input"].isel(image=1, perturbation=0).load()


def test_only_what_is_used_is_read(path: Path, made: Store) -> None:
    for task in EVERY:
        made.write(task, arrays(task))
    shard_file(path, Task("perturb", 1, 0), "input").unlink()
    dataset = open_results(at(path))
    dataset["input"].isel(image=[0, 1]).load()
    with pytest.raises(DamagedStore, match="perturb-00001-00: input"):
        dataset["input"].isel(image=2).load()
