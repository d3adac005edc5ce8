"""Everything that is written before the tasks is checked wherever a store is opened, and mended by the next run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from forgery import forge_manifest
from small_audits import object_path, tree
from small_stores import PLAN, at, new_store
from zarr.codecs import GzipCodec

from pipeline.plan.schema import PREPARED
from pipeline.store.arrays import COORDINATES, prepared_keys
from pipeline.store.creation import find_damaged_objects, mend
from pipeline.store.location import Location
from pipeline.store.manifest import MANIFEST
from pipeline.store.receipts import METADATA
from pipeline.store.results import open_results
from pipeline.store.store import Store, attributes, progress
from srd.errors import DamagedStore, StoreError

WHOLE = (Store, open_results)
ROOT = (*WHOLE, attributes, progress)
AS_WRITTEN = sorted(prepared_keys(PLAN) - {METADATA})


def exchange(path: Path, one: str, other: str) -> None:
    """Exchange two objects."""
    first, second = (object_path(path, key) for key in (one, other))
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)


def test_the_manifest_is_of_all_that_is_written_before_the_tasks(path: Path, made: Store) -> None:
    digests = json.loads(object_path(path, MANIFEST).read_text(encoding="utf-8"))["sha256"]
    assert digests == {key: digest for key, digest in tree(path).items() if key != MANIFEST}
    assert digests.keys() == prepared_keys(PLAN)


@pytest.mark.parametrize("key", AS_WRITTEN)
def test_a_changed_or_missing_object_is_refused_by_name_and_mended(path: Path, made: Store, key: str) -> None:
    before = tree(path)
    file = object_path(path, key)
    whole = file.read_bytes()
    for damaged in (None, b"", whole[:-1], bytes([whole[0] ^ 1]) + whole[1:], whole + b" "):
        file.unlink() if damaged is None else file.write_bytes(damaged)
        for read in WHOLE:
            with pytest.raises(DamagedStore, match=f"{key} is not what was prepared; run the same spec, which mends"):
                read(at(path))
        assert find_damaged_objects(at(path)) == [key]
        mend(at(path), new_store(), [key])
        assert tree(path) == before


@pytest.mark.parametrize("place", ["class/c/0", "scale/zarr.json", "class/c", "image"])
def test_what_the_next_run_cannot_replace_has_to_be_removed(
    path: Path, made: Store, place: str, tmp_path: Path
) -> None:
    """A folder in place of an object, or a file or a link in place of a folder."""
    before, is_object = tree(path), (path / place).is_file()
    aside = (path / place).rename(tmp_path / "aside")
    if is_object:
        (path / place).mkdir()
    else:
        (path / place).symlink_to(aside)
    for read in WHOLE:
        with pytest.raises(DamagedStore, match=rf"{place}: is a .*; remove it, and run the same spec again"):
            read(at(path))
    damaged = find_damaged_objects(at(path))
    with pytest.raises(DamagedStore, match=rf"{place}: is a .*; remove it"):
        mend(at(path), new_store(), damaged)
    (path / place).rmdir() if is_object else (path / place).unlink()
    mend(at(path), new_store(), damaged)
    assert tree(path) == before


@pytest.mark.parametrize("key", ["class/c/0", "scale/zarr.json", "image/c/0"])
def test_a_link_in_place_of_an_object_is_replaced_by_the_next_run(
    path: Path, made: Store, key: str, tmp_path: Path
) -> None:
    before, content = tree(path), object_path(path, key).read_bytes()
    outside = object_path(path, key).rename(tmp_path / "outside")
    object_path(path, key).symlink_to(outside)
    for read in WHOLE:
        with pytest.raises(DamagedStore, match=f"{key} is not what was prepared; run the same spec, which mends"):
            read(at(path))
    mend(at(path), new_store(), [key])
    assert (tree(path), object_path(path, key).is_symlink(), outside.read_bytes()) == (before, False, content)


@pytest.mark.parametrize("key", [METADATA, MANIFEST])
def test_without_a_true_root_and_manifest_nothing_is_believed(path: Path, made: Store, key: str) -> None:
    file = object_path(path, key)
    whole = file.read_bytes()
    for damaged in (b"", whole[:-1], whole.replace(b"a", b"b"), whole.replace(b"0", b"1"), whole.replace(b"1", b"0")):
        file.write_bytes(damaged)
        for read in (*ROOT, find_damaged_objects):
            with pytest.raises(StoreError, match=r"restore it|restore its zarr\.json|is not the store of an audit"):
                read(at(path))
    file.write_bytes(whole)
    object_path(path, MANIFEST).unlink()
    for read in ROOT:
        with pytest.raises(DamagedStore, match=f"{MANIFEST} is missing"):
            read(at(path))


@pytest.mark.parametrize("text", ["[]", "{}", '{"sha256": 1}', '{"sha256": {"zarr.json": "0"}}', "[" * 100_000])
def test_a_manifest_of_another_form_is_one_refusal(path: Path, made: Store, text: str) -> None:
    object_path(path, MANIFEST).write_text(text, encoding="utf-8")
    for read in ROOT:
        with pytest.raises(DamagedStore, match=f"{MANIFEST} cannot be read; restore it"):
            read(at(path))


def test_exchanged_names_are_refused(path: Path, made: Store) -> None:
    """A store whose methods are renamed would credit one with the numbers of the other."""
    group = zarr.open_group(path)
    names: Any = group["method"]
    names[:] = names[:][::-1]
    with pytest.raises(DamagedStore, match="method/c/0 is not what was prepared"):
        open_results(at(path))


@pytest.mark.parametrize(("one", "other"), [("image/c/0", "class/c/0"), ("scale/zarr.json", "attribution/zarr.json")])
def test_exchanged_objects_are_refused(path: Path, made: Store, one: str, other: str) -> None:
    exchange(path, one, other)
    with pytest.raises(DamagedStore, match="is not what was prepared"):
        Store(at(path))


def test_a_manifest_that_leaves_something_out_is_refused(path: Path, made: Store) -> None:
    for key in AS_WRITTEN:
        manifest = json.loads(object_path(path, MANIFEST).read_text(encoding="utf-8"))
        digest = manifest["sha256"].pop(key)
        object_path(path, MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
        with pytest.raises(DamagedStore, match=f"{MANIFEST} is wrong about {key}"):
            Store(at(path))
        object_path(path, MANIFEST).write_text(
            json.dumps({"sha256": manifest["sha256"] | {key: digest}}), encoding="utf-8"
        )
    Store(at(path))


def other_array(**changes: Any) -> Callable[[zarr.Group], None]:
    def replace(group: zarr.Group) -> None:
        plain: dict[str, Any] = {
            "shape": (5,), "chunks": (5,), "dtype": "int64", "dimension_names": ["image"], "fill_value": 0,
            "attributes": {"meaning": group["label"].attrs["meaning"]},
        }  # fmt: skip
        del group["label"]
        group.create_array("label", **plain | changes)[:] = np.full(changes.get("shape", (5,)), 2)

    return replace


@pytest.mark.parametrize(
    "change",
    [
        other_array(shape=(6,), chunks=(6,)),
        other_array(dtype="int32"),
        other_array(dtype="float64"),
        other_array(dimension_names=["class"]),
        other_array(compressors=GzipCodec()),
        other_array(fill_value=1),
        other_array(attributes={"meaning": "index of nothing"}),
    ],
    ids=["shape", "type", "float", "dimension", "codec", "fill value", "meaning"],
)
def test_arrays_of_another_plan_are_refused_whatever_the_manifest_says(
    path: Path, made: Store, change: Callable[[zarr.Group], None]
) -> None:
    change(zarr.open_group(path))
    forge_manifest(path)
    for read in WHOLE:
        with pytest.raises(DamagedStore, match="array label is not that of the plan"):
            read(at(path))


def test_a_group_in_place_of_an_array_is_refused(path: Path, made: Store) -> None:
    group = zarr.open_group(path)
    del group["score"]
    group.create_group("score")
    forge_manifest(path)
    with pytest.raises(DamagedStore, match="array score is not that of the plan"):
        Store(at(path))


def test_other_arrays_are_no_results(path: Path, made: Store) -> None:
    zarr.open_group(path).create_array("more", shape=(5,), dtype="int64")
    assert set(open_results(at(path)).variables) == {*COORDINATES, *PREPARED, *written()}


def written() -> set[str]:
    return {variable.name for task in PLAN.all_tasks() for variable in PLAN.variables(task)}


def test_a_store_of_zarr_2_is_none(tmp_path: Path) -> None:
    zarr.create_group(tmp_path / "old", zarr_format=2)
    for read in ROOT:
        with pytest.raises(StoreError, match="no run here"):
            read(Location(str(tmp_path / "old")))
