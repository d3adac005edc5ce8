"""The Zarr store of a run: tasks fill it region by region, and close each with a receipt of what they wrote."""

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from hashlib import sha256
from itertools import groupby
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.core.sync import sync

from pipeline.machine.files import MIB
from pipeline.plan.stages import VARIABLES
from pipeline.plan.tasks import Task
from pipeline.store.arrays import array_of, check_arrays, prepared_keys
from pipeline.store.attributes import RunAttributes, read_attributes, refuse_other_format
from pipeline.store.folder import Folder
from pipeline.store.location import Location
from pipeline.store.manifest import check_preparation, check_root
from pipeline.store.receipts import LITTER, METADATA, Failure, Receipts
from pipeline.store.records import records_folder
from srd.errors import DamagedStore, DamagedTask, StoreError

Arrays = Mapping[str, NDArray[Any]]

NAME = "audit.zarr"
ROOM = 2
"""The bytes that a byte of values may take in a shard; an index and headers are less than a megabyte."""
DAMAGE = (ValueError, RuntimeError)
"""The errors that zarr raises for a shard that fails its checksum or is cut off."""


class Store:
    """The store of one run, as its tasks use it.

    The metadata of an array are read once, when it is first used.

    Raises
    ------
    OSError
        For whatever the place of the store is to blame for.
    """

    def __init__(self, location: Location, read_only: bool = False) -> None:
        self._group, self.attributes = _open_whole(location, read_only)
        self._plan = self.attributes.plan
        self.receipts = Receipts(self._group.store, self.attributes.fingerprinted.sources)
        """The receipts of tasks that are done, and the failures of others."""
        self._array = cache(partial(array_of, self._group))

    def read(self, name: str, *region: slice | int) -> NDArray[Any]:
        """Return the values of a variable in a region, unchecked: for prepared arrays, which were checked before."""
        return np.asarray(self._array(name)[region])

    def read_output(self, task: Task, names: Iterable[str]) -> dict[str, NDArray[Any]]:
        """Return all that the task wrote of these variables.

        Raises
        ------
        DamagedTask
            If it is not what the receipt says.
        """
        digests = self.receipts.digests(task)
        return {name: self._read_shard(task, name, digests.get(name, ())) for name in names}

    def read_image(self, task: Task, name: str, image: int) -> NDArray[Any]:
        """Return what the task wrote of a variable for one image, which costs one chunk.

        Parameters
        ----------
        image
            The position of the image in the store.

        Raises
        ------
        DamagedTask
            If it is not what the receipt says.
        """
        if VARIABLES[name].is_large:
            return next(self.read_chunks(task, name, [image]))
        values: NDArray[Any] = self.read_output(task, [name])[name][image - self._plan.rows(task).start]
        return values

    def read_chunks(self, task: Task, name: str, images: Iterable[int]) -> Iterator[NDArray[Any]]:
        """Yield what the task wrote of a large variable for each of these images, as `read_image` returns it.

        Images that follow each other are read at once, and are in memory together.
        """
        digests, start = self.receipts.digests(task).get(name, ()), self._plan.rows(task).start
        rest = self._plan.region(task, VARIABLES[name])[1:]
        for run in _consecutive(images):
            first, stop = run.start - start, run.stop - start
            yield from self._read_chunks(task, name, (run, *rest), digests[first:stop], first)

    def finished_tasks(self) -> Iterator[Task]:
        """Return the planned tasks that have a receipt."""
        done = self.receipts.find(task.key for task in self._plan.all_tasks())
        return (task for task in self._plan.all_tasks() if task.key in done)

    def find_damage(self, tasks: Iterable[Task]) -> Iterator[DamagedTask]:
        """Read what the tasks wrote, and yield an error for each damaged task."""
        for task in tasks:
            try:
                digests = self.receipts.digests(task)
                for variable in self._plan.variables(task):  # one after the other: memory is that of the largest
                    self._read_shard(task, variable.name, digests.get(variable.name, ()))
            except DamagedTask as error:
                yield error

    def write(self, task: Task, arrays: Arrays) -> None:
        """Write the whole shards of a task, then its receipt, which holds the digests of all chunks."""
        for variable in self._plan.variables(task):
            _write(self._array(variable.name), self._plan.region(task, variable), arrays[variable.name])
        self.receipts.write(task, {name: digests_of(task, name, values) for name, values in arrays.items()})

    def _read_shard(self, task: Task, name: str, expected: tuple[str, ...]) -> NDArray[Any]:
        return self._read_chunks(task, name, self._plan.region(task, VARIABLES[name]), expected, 0)

    def _read_chunks(
        self, task: Task, name: str, region: tuple[slice, ...], expected: tuple[str, ...], first: int
    ) -> NDArray[Any]:
        """Return the chunks of a shard in a region; `first` is the position of the first one in its shard."""
        array = self._array(name)
        _refuse_bulk(array, task, name, _shard_key(array, region))
        with _blame(task, name):
            values = np.asarray(array[region])
        if digests_of(task, name, values, first) != expected:
            raise DamagedTask(task.key, f"{name} is not what the receipt says")
        if _reads_as_missing(array, values) and not sync(array.store.exists(_shard_key(array, region))):
            raise DamagedTask(task.key, f"{name} is missing")
        return values


def _consecutive(images: Iterable[int]) -> Iterator[slice]:
    """Yield runs of images that follow each other, in the order given."""
    for _, run in groupby(enumerate(images), lambda each: each[1] - each[0]):
        members = [image for _, image in run]
        yield slice(members[0], members[-1] + 1)


def refusal_of(location: Location, damage: DamagedTask) -> DamagedStore:
    """Return the refusal of a store, part of which its readers have found damaged."""
    way_out = "`srd-audit verify --repair` finds all damage and has it mended by the next run"
    return DamagedStore(f"{location}: {damage}; {way_out}")


def exists(location: Location) -> bool:
    """Return whether a whole store lies there."""
    return sync(location.open(read_only=True).exists(METADATA))


def attributes(location: Location) -> RunAttributes:
    """Return the attributes of a store.

    Raises
    ------
    StoreError
        If there is no store, or one of another format.
    DamagedStore
        If the attributes are not what was written.
    """
    return _open_root(location)[1]


def progress(location: Location) -> dict[str, tuple[int, int]]:
    """Return the number of tasks done and the number of tasks planned, for each stage."""
    group, attributes = _open_root(location)
    done = Receipts(group.store).find(task.key for task in attributes.plan.all_tasks())
    counts: dict[str, tuple[int, int]] = {}
    for task in attributes.plan.all_tasks():
        finished, planned = counts.get(task.stage, (0, 0))
        counts[task.stage] = (finished + (task.key in done), planned + 1)
    return counts


def failures(location: Location) -> dict[str, Failure]:
    """Return why tasks failed when they were last tried, by key, except those that have been done since."""
    return Receipts(_open_root(location)[0].store).failures()


def contents_digest(location: Location) -> str:
    """Return the digest of what a store says of its contents: its root, and the receipts of its tasks, found or not."""
    group, attributes = _open_root(location)
    digest = sha256(attributes.model_dump_json().encode())
    for key, receipt in Receipts(group.store).read(task.key for task in attributes.plan.all_tasks()):
        digest.update(f"{key} {len(receipt)} ".encode() + receipt)
    return digest.hexdigest()


def remove_litter(location: Location) -> None:
    """Delete the files that killed processes left half written.

    Object stores show no object before it is whole.
    """
    for place in (location.path, records_folder(location.path)) if location.path else ():
        for file in place.rglob(LITTER):
            file.unlink(missing_ok=True)


def _open_root(location: Location, read_only: bool = True) -> tuple[zarr.Group, RunAttributes]:
    """Open a store of which only the root is checked."""
    store = location.open(read_only)
    try:
        group = zarr.open_group(store, mode="r" if read_only else "r+", zarr_format=3, use_consolidated=False)
    except FileNotFoundError:
        Receipts(store).task_keys()  # a bucket that is not there is an OSError
        raise StoreError(f"{location}: no run here; start one with `srd-audit run SPEC`") from None
    except OSError:
        raise
    except Exception as error:  # damaged metadata may raise anything
        text = f"{type(error).__name__}: {error}"
        raise DamagedStore(f"{location}: cannot be read ({text}); restore its zarr.json, or remove it") from error
    refuse_other_format(dict(group.attrs), location)
    check_root(store, location)
    return group, read_attributes(dict(group.attrs), location)


def _open_whole(location: Location, read_only: bool) -> tuple[zarr.Group, RunAttributes]:
    """Open a store of which everything is checked that was written before any task."""
    group, attributes = _open_root(location, read_only)
    check_preparation(group.store, prepared_keys(attributes.plan), location)
    check_arrays(group, attributes.plan, location)
    return group, attributes


@contextmanager
def _blame(task: Task, name: str) -> Iterator[None]:
    """Blame a shard that cannot be read within the context on the task that wrote it.

    Raises
    ------
    DamagedTask
        If the shard fails its checksum or is cut off.
    """
    try:
        yield
    except DAMAGE as error:
        raise DamagedTask(task.key, f"{name} cannot be read: {error}") from error


def _refuse_bulk(array: zarr.Array[Any], task: Task, name: str, key: str) -> None:
    """Refuse a file that is larger than what the task can have written, before it is read."""
    if isinstance(array.store, Folder):
        raw = math.prod(array.shards or array.chunks) * array.dtype.itemsize
        if (array.store.size(key) or 0) > ROOM * raw + MIB:
            raise DamagedTask(task.key, f"{name} is larger than what the task wrote")


def _write(array: zarr.Array[Any], region: tuple[slice, ...], values: NDArray[Any]) -> None:
    """Write values into a region of an array.

    Zarr 3.1 cannot overwrite a damaged shard, which it reads first. So the shard is deleted, then written.
    """
    try:
        array[region] = values
    except DAMAGE:
        sync(array.store.delete(_shard_key(array, region)))
        array[region] = values


def _shard_key(array: zarr.Array[Any], region: tuple[slice, ...]) -> str:
    shard = array.shards or array.chunks
    position = [(part.start or 0) // size for part, size in zip(region, shard, strict=True)]
    return f"{array.path}/{array.metadata.encode_chunk_key(tuple(position))}"


def _reads_as_missing(array: zarr.Array[Any], values: NDArray[Any]) -> bool:
    """Return whether the values are those of a missing shard; the reasons, for one, are mostly all zero."""
    fill = np.asarray(array.fill_value, values.dtype)
    return bool(np.isnan(values).all() if np.isnan(fill) else (values == fill).all())


def digests_of(task: Task, name: str, values: NDArray[Any], first: int = 0) -> tuple[str, ...]:
    """Return the digests of the chunks of what a task wrote of a variable.

    Each is of the place of the chunk, its type, its shape and its values, so that no two can be exchanged.

    Parameters
    ----------
    first
        The position of the first of these chunks in its shard.
    """
    chunks = values if VARIABLES[name].is_large else values[None]
    return tuple(_digest(f"{task.key} {name} {first + n}", chunk) for n, chunk in enumerate(chunks))


def _digest(place: str, values: NDArray[Any]) -> str:
    digest = sha256(f"{place} {values.dtype.str} {values.shape} ".encode())
    digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()
