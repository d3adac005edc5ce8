"""The door for arrays of others: .npy and .npz of numpy, and zarr, by the names that people give them."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol
from zipfile import ZipFile

import numpy as np
import zarr

from pipeline.inputs.image_listing import RELATIVE, refuse_bad_path
from pipeline.machine.files import MIB, UnreadableFile, open_file, refuse_what_a_parser_raises
from srd.errors import DataError

MOST_BYTES = 16 * 1024 * MIB
"""The most bytes of one array of an .npz file, which is held in memory; .npy and zarr are read by rows."""
NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "images": ("images", "x", "X", "data"),
        "labels": ("labels", "label", "y", "Y", "targets"),
        "masks": ("masks", "mask"),
        "ignored": ("ignored",),
    }
)
"""The names that arrays have where several lie in one file."""
SPLIT_FORMS = ("{split}_{name}", "{name}_{split}", "{split}/{name}")
"""The same with a split, such as `test_images`, `x_test` and, in zarr, `test/images`."""
WAY_OUT = "store plain numbers, without Python objects"


class Rows(Protocol):
    """An array that is read a row at a time."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> Any: ...

    def __getitem__(self, row: Any) -> Any: ...


Arrays = Mapping[str, Rows]


def open_arrays(path: Path, place: str) -> Arrays:
    """Return the arrays of a file by name; that of an .npy file has none.

    Raises
    ------
    DataError
        With `place`, if it cannot be read.
    """
    opener = _OPENERS.get(path.suffix)
    if opener is None:
        raise DataError(f"{place}: is no array; name a file that ends in {', '.join(_OPENERS)}")
    with refuse_bad_path(place):
        is_there = path.exists()
    if not is_there:
        raise DataError(f"{place}: is missing; {RELATIVE}")
    with refuse_what_a_parser_raises(DataError, place, WAY_OUT):
        try:
            return opener(path)
        except UnreadableFile as error:
            raise DataError(f"{place}: {error}; {RELATIVE}") from None


def find_array(arrays: Arrays, key: str, split: str | None) -> Rows | None:
    """Return the array of images, labels, masks or pixels to ignore; None if none is called so."""
    forms = ("{name}",) if split is None else SPLIT_FORMS
    names = [form.format(name=name, split=split) for name in NAMES[key] for form in forms]
    return next((arrays[name] for name in names if name in arrays), None)


def array_of(arrays: Arrays, key: str, split: str | None, place: str) -> Rows:
    """Return the array of images, labels or masks, or the only one of a file.

    Raises
    ------
    DataError
        With `place`, if there are several, none of which is called so.
    """
    found = next(iter(arrays.values())) if len(arrays) == 1 else find_array(arrays, key, split)
    if found is None:
        names = ", ".join(arrays) or "nothing"
        example = f"test_{NAMES[key][0]}"
        raise DataError(
            f"{place}: holds no array of {key}{f' of the split {split!r}' if split else ''}, but {names}; "
            f"call it {NAMES[key][0]!r}, or set data.split, such as 'test' for {example!r}"
        )
    return found


class _ZippedArrays(Arrays):
    """The arrays of an .npz file, each of which is read when it is asked for, and kept."""

    def __init__(self, path: Path) -> None:
        self._file = np.load(path, allow_pickle=False)
        self._read: dict[str, Rows] = {}
        for entry in self._file.zip.infolist():
            if entry.file_size > MOST_BYTES:
                raise ValueError(
                    f"{entry.filename} holds {entry.file_size} bytes, more than {MOST_BYTES}; use .npy or zarr"
                )

    def __getitem__(self, name: str) -> Rows:
        if name not in self._read:
            with refuse_what_a_parser_raises(DataError, f"{self._file.fid.name}: {name}", WAY_OUT):
                self._read[name] = self._file[name]
        return self._read[name]

    def __contains__(self, name: object) -> bool:
        return name in self._file.files

    def __iter__(self) -> Iterator[str]:
        return iter(self._file.files)

    def __len__(self) -> int:
        return len(self._file.files)


def _open_npy(path: Path) -> Arrays:
    with open_file(path, 2**62):
        return {"": np.lib.format.open_memmap(path, mode="r")}


def _open_npz(path: Path) -> Arrays:
    with open_file(path, 2**62), ZipFile(path):  # numpy leaves a file open that is none
        return _ZippedArrays(path)


def _open_zarr(path: Path) -> Arrays:
    opened = zarr.open(path, mode="r")
    if isinstance(opened, zarr.Array):
        return {"": opened}
    return {name: array for name, array in sorted(opened.members(max_depth=None)) if isinstance(array, zarr.Array)}


_OPENERS: Mapping[str, Callable[[Path], Arrays]] = MappingProxyType(
    {".npy": _open_npy, ".npz": _open_npz, ".zarr": _open_zarr}
)
