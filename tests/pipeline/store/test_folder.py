"""A folder as a store holds regular files below it alone: nothing else is read, and nothing is written elsewhere."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from small_audits import object_path
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync

from pipeline.machine.files import TEXT
from pipeline.store.folder import MOST_PREPARED, Folder
from pipeline.store.location import Location
from srd.errors import DamagedStore, StoreError

PROTOTYPE = default_buffer_prototype()
VALUE = PROTOTYPE.buffer.from_bytes(b"value")
KEY = "score/c/0"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    sync(Folder(folder).set(KEY, VALUE))
    (tmp_path / "outside" / "c").mkdir(parents=True)
    (tmp_path / "outside" / "c" / "0").write_bytes(b"other")
    return folder


def hole(file: Path, size: int) -> None:
    with file.open("wb") as sparse:
        sparse.truncate(size)


def replaced(make: Callable[[Path], object]) -> Callable[[Path], object]:
    """Return an edit that puts something else in place of a file."""

    def edit(file: Path) -> None:
        file.unlink()
        make(file)

    return edit


def folder_replaced(make: Callable[[Path], object]) -> Callable[[Path], object]:
    """Return an edit that puts something else in place of a file's folder."""

    def edit(file: Path) -> None:
        file.unlink()
        file.parent.rmdir()
        make(file.parent)

    return edit


Edit = Callable[[Path], object]
NO_OBJECTS: Mapping[str, Edit] = {
    "missing": Path.unlink,
    "link": replaced(lambda file: file.symlink_to(file.parents[3] / "outside" / "c" / "0")),
    "link to itself": replaced(lambda file: file.symlink_to(file.name)),
    "link of its folder": folder_replaced(lambda folder: folder.symlink_to(folder.parents[2] / "outside" / "c")),
    "pipe": replaced(os.mkfifo),
    "folder": replaced(Path.mkdir),
    "file in place of its folder": folder_replaced(Path.touch),
}
ON_THE_WAY = ("link of its folder", "folder", "file in place of its folder")


@pytest.mark.parametrize("edit", NO_OBJECTS)
def test_what_is_no_regular_file_of_the_folder_is_missing(root: Path, edit: str) -> None:
    store = Folder(root)
    NO_OBJECTS[edit](root / KEY)
    assert sync(store.get(KEY, PROTOTYPE)) is None
    assert store.get_sync(KEY) is None
    assert sync(store.get_partial_values(PROTOTYPE, [(KEY, None)])) == [None]
    assert not sync(store.exists(KEY))
    assert store.size(KEY) is None


@pytest.mark.parametrize("edit", NO_OBJECTS)
def test_nothing_is_written_or_deleted_elsewhere(root: Path, edit: str) -> None:
    store, outside = Folder(root), root.parent / "outside"
    NO_OBJECTS[edit](root / KEY)
    changes: list[Callable[[], None]] = [lambda: sync(store.set(KEY, VALUE)), lambda: store.set_sync(KEY, VALUE)]
    for change in changes:
        if edit in ON_THE_WAY:
            with pytest.raises(DamagedStore, match="remove it, and run the same spec again"):
                change()
        else:
            change()
            assert (root / KEY).read_bytes() == b"value"
    if edit in ON_THE_WAY:
        with pytest.raises(DamagedStore):
            sync(store.delete(KEY))
    assert [file.read_bytes() for file in outside.rglob("*") if file.is_file()] == [b"other"]


@pytest.mark.parametrize(
    ("key", "most"),
    [("zarr.json", TEXT), ("score/zarr.json", TEXT), ("_ledger/a", TEXT), ("label/c/0", MOST_PREPARED)],
)
def test_an_object_that_is_larger_than_any_is_missing(root: Path, key: str, most: int) -> None:
    file = object_path(root, key)
    file.parent.mkdir(parents=True, exist_ok=True)
    hole(file, most)
    assert sync(Folder(root).exists(key))
    hole(file, most + 1)
    assert sync(Folder(root).get(key, PROTOTYPE)) is None


def test_a_store_is_opened_through_no_link_of_a_run(root: Path) -> None:
    (root / "audit.zarr").symlink_to(root.parent / "outside")
    with pytest.raises(StoreError, match="is a link; name its folder as url"):
        Location(str(root)) / "audit.zarr"


def test_the_folder_of_a_run_may_be_a_link(root: Path) -> None:
    (root.parent / "link").symlink_to(root)
    store = Location(str(root.parent / "link")).open(read_only=True)
    assert sync(store.exists(KEY))


@pytest.mark.parametrize("make", [Path.touch, os.mkfifo], ids=["file", "pipe"])
def test_what_is_no_folder_holds_no_store(tmp_path: Path, make: Edit) -> None:
    make(tmp_path / "audit.zarr")
    for read_only in (True, False):
        with pytest.raises(StoreError, match="is no folder, so it holds no store"):
            Location(str(tmp_path / "audit.zarr")).open(read_only)
