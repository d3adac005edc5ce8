"""A store appears whole or not at all, and nobody's remains are overwritten."""

from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import zarr
from small_audits import tree
from small_stores import PLAN, SIZES, arrays, at, make, new_store
from zarr.core.buffer import Buffer
from zarr.storage import LocalStore

from pipeline.plan.schema import PREPARED
from pipeline.plan.stages import VARIABLES
from pipeline.plan.tasks import Task
from pipeline.store.creation import create
from pipeline.store.store import (
    Store,
    exists,
    remove_litter,
)
from srd.errors import StoreError


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
        create(at(path), replace(new_store(), prepared={}))
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
