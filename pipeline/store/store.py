"""The Zarr store of a run: tasks fill it region by region, and close each with a receipt of what they wrote."""

from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.core.sync import sync

from pipeline.plan.schema import CONDITION_FACTS
from pipeline.plan.stages import VARIABLES
from pipeline.plan.tasks import Task
from pipeline.store.attributes import RunAttributes, read_attributes
from pipeline.store.location import Location
from pipeline.store.receipts import LITTER, METADATA, Failure, Receipts
from srd.errors import DamagedTask, StoreError

if TYPE_CHECKING:
    import xarray as xr

Arrays = Mapping[str, NDArray[Any]]

NAME = "audit.zarr"
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

    def __init__(self, location: Location) -> None:
        self._group, self.attributes = _open_group(location, read_only=False)
        self._plan = self.attributes.plan
        self.receipts = Receipts(self._group.store)
        """The receipts of tasks that are done, and the failures of others."""
        self._array = cache(partial(array_of, self._group))

    def read(self, name: str, *region: slice | int) -> NDArray[Any]:
        """Return the values of a variable in a region, unchecked: for prepared arrays and finished runs."""
        return np.asarray(self._array(name)[region])

    def read_output(self, task: Task, names: Iterable[str]) -> dict[str, NDArray[Any]]:
        """Return all that the task wrote of these variables.

        Raises
        ------
        DamagedTask
            If it is not what the receipt says.
        """
        digests = self.receipts.digests(task)
        return {name: self._read_array(task, name, digests.get(name)) for name in names}

    def read_part(self, task: Task, name: str, *region: slice | int) -> NDArray[Any]:
        """Return a small part of what the task wrote of a variable, without the cost of reading the whole.

        A missing shard reads as NaN, so if anything is NaN the digest of the whole decides.

        Raises
        ------
        DamagedTask
            If the shard is damaged or missing.
        """
        with _blame(task, name):
            values = self.read(name, *region)
        if np.isnan(values).any():
            self.read_output(task, [name])
        return values

    def find_damage(self, tasks: Iterable[Task], names: Container[str] = VARIABLES) -> Iterator[DamagedTask]:
        """Read what the tasks wrote of these variables, and yield an error for each damaged task."""
        for task in tasks:
            try:
                digests = self.receipts.digests(task)
                for variable in self._plan.variables(task):
                    if variable.name in names:  # one after the other: memory is that of the largest
                        self._read_array(task, variable.name, digests.get(variable.name))
            except DamagedTask as error:
                yield error

    def write(self, task: Task, arrays: Arrays) -> None:
        """Write the whole shards of a task, then its receipt, which holds the digest of each array."""
        for variable in self._plan.variables(task):
            _write(self._array(variable.name), self._plan.region(task, variable), arrays[variable.name])
        self.receipts.write(task, {name: digest_of(values) for name, values in arrays.items()})

    def damaged_prepared_arrays(self) -> frozenset[str]:
        """Return the names of prepared arrays that have changed; a missing array would read as zeros."""
        return frozenset(name for name, digest in self.attributes.prepared.items() if self._digest_of(name) != digest)

    def mend(self, prepared: Arrays) -> None:
        """Write prepared arrays again, over whatever lies there."""
        for name, values in prepared.items():
            _write(self._array(name), (slice(None),), values)

    def _digest_of(self, name: str) -> str | None:
        """Return the digest of an array; None if it cannot be read."""
        try:
            return digest_of(self.read(name))
        except DAMAGE:
            return None

    def _read_array(self, task: Task, name: str, expected: str | None) -> NDArray[Any]:
        array, region = self._array(name), self._plan.region(task, VARIABLES[name])
        with _blame(task, name):
            values = self.read(name, *region)
        if digest_of(values) != expected:
            raise DamagedTask(task.key, f"{name} is not what the receipt says")
        if _reads_as_missing(array, values) and not sync(array.store.exists(_shard_key(array, region))):
            raise DamagedTask(task.key, f"{name} is missing")
        return values


def exists(location: Location) -> bool:
    """Return whether a whole store lies there."""
    return sync(location.open(read_only=True).exists(METADATA))


def attributes(location: Location) -> RunAttributes:
    """Return the attributes of a store.

    Raises
    ------
    StoreError
        If there is no store, or if its attributes are damaged.
    """
    return _open_group(location)[1]


def progress(location: Location) -> dict[str, tuple[int, int]]:
    """Return the number of tasks done and the number of tasks planned, for each stage."""
    group, attributes = _open_group(location)
    done = Receipts(group.store).task_keys()
    counts: dict[str, tuple[int, int]] = {}
    for task in attributes.plan.all_tasks():
        finished, planned = counts.get(task.stage, (0, 0))
        counts[task.stage] = (finished + (task.key in done), planned + 1)
    return counts


def failures(location: Location) -> dict[str, Failure]:
    """Return why tasks failed when they were last tried, by key, except those that have been done since."""
    return Receipts(_open_group(location)[0].store).failures()


def open_results(location: Location) -> "xr.Dataset":
    """Open the store as a Dataset with named dimensions and coordinates.

    Nothing is loaded before it is used.
    """
    import xarray as xr  # a second, which only reports need to pay

    dataset = xr.open_zarr(_open_group(location)[0].store, consolidated=False, chunks=None)
    texts = [name for name in dataset.variables if dataset[name].dtype.kind == "T"]
    labelled: xr.Dataset = dataset.assign_coords({name: _text(dataset[name]) for name in texts})
    return labelled.set_coords(CONDITION_FACTS)


def remove_litter(location: Location) -> None:
    """Delete the files that killed processes left half written.

    Object stores show no object before it is whole.
    """
    for file in location.path.rglob(LITTER) if location.path else ():
        file.unlink(missing_ok=True)


def _open_group(location: Location, read_only: bool = True) -> tuple[zarr.Group, RunAttributes]:
    store = location.open(read_only)
    try:
        group = zarr.open_group(store, mode="r" if read_only else "r+")
    except FileNotFoundError:
        Receipts(store).task_keys()  # a bucket that is not there is an OSError
        raise StoreError(f"{location}: no run here; start one with `srd-audit run SPEC`") from None
    except OSError:
        raise
    except Exception as error:  # damaged metadata may raise anything
        text = f"{type(error).__name__}: {error}"
        raise StoreError(f"{location}: cannot be read ({text}); restore its zarr.json, or remove it") from error
    return group, read_attributes(dict(group.attrs), location)


def _text(array: "xr.DataArray") -> tuple[str, list[str]]:
    return str(array.dims[0]), array.values.tolist()


def array_of(group: zarr.Group, name: str) -> zarr.Array[Any]:
    """Return an array that also writes shards of nothing but its fill value, which are results as well."""
    array = group[name]
    if not isinstance(array, zarr.Array):
        raise StoreError(f"{name} is not an array")
    return array.with_config({"write_empty_chunks": True})


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


def digest_of(values: NDArray[Any]) -> str:
    """Return the digest of type, shape and values of an array."""
    digest = sha256(f"{values.dtype.str} {values.shape} ".encode())
    digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()
