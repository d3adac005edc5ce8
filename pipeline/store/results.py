"""The results of a store as a Dataset, every value of which is checked against a receipt when it is read."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from xarray.backends import BackendArray
from xarray.core import indexing

from pipeline.plan.schema import PREPARED, Variable
from pipeline.plan.stages import VARIABLES
from pipeline.plan.tasks import Task
from pipeline.store.arrays import COORDINATES
from pipeline.store.location import Location
from pipeline.store.runs import audits_in, location_of
from pipeline.store.store import NAME, Store, exists, refusal_of
from srd.errors import DamagedTask, StoreError

Selected = tuple[NDArray[np.int64], ...]
"""The selected positions along each dimension."""


def open_results(place: Location | Path | str) -> xr.Dataset:
    """Open the results of an audit as a Dataset with named dimensions and coordinates.

    `place` is the folder of a run, that of its store, or the URL of one of them.

    Nothing is read of what tasks wrote before it is used. What is used is checked against the receipts of its tasks.
    Where a task has no receipt, values read as missing.

    Raises
    ------
    StoreError
        If there is no store, if the run has several, or if what was written before any task is damaged; when values
        are used, if these are.
    """
    location = place if isinstance(place, Location) else _location(place)
    store = Store(location, read_only=True)
    plan, done = store.attributes.plan, frozenset(task.key for task in store.finished_tasks())
    coordinates = {name: (dim, _without_string_type(store.read(name))) for name, dim in COORDINATES.items()}
    prepared = {
        name: (variable.dims, store.read(name), {"meaning": variable.meaning}) for name, variable in PREPARED.items()
    }
    written = {
        name: (
            variable.dims,
            indexing.LazilyIndexedArray(_CheckedArray(store, variable, location, done)),
            {"meaning": variable.meaning},
        )
        for name, variable in VARIABLES.items()
        if name not in PREPARED and plan.holds(variable)
    }
    return xr.Dataset({**prepared, **written}, coordinates, store.attributes.model_dump(mode="json"))


def _location(place: Path | str) -> Location:
    """Return the location of the store that is at a place, or in it."""
    given = Location(str(place))
    if given.url.endswith(f"/{NAME}") or exists(given):
        return given
    if given.path is None:
        return given / NAME
    subjects = audits_in(given.path)
    if subjects:
        named = ", ".join(str(folder) for folder in subjects.values())
        raise StoreError(f"{place}: holds the audits of several networks; open one of {named}")
    return location_of(given.path)


class _CheckedArray(BackendArray):
    """An array of a store that tasks have written."""

    def __init__(self, store: Store, variable: Variable, location: Location, done: frozenset[str]) -> None:
        self._store, self._variable, self._location = store, variable, location
        self._plan = store.attributes.plan
        self._done = done
        self.shape = tuple(self._plan.sizes[dim] for dim in variable.dims)
        self.dtype = np.dtype(variable.dtype)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)

    def _read(self, key: tuple[Any, ...]) -> NDArray[Any]:
        selected = tuple(np.atleast_1d(np.arange(size)[part]) for size, part in zip(self.shape, key, strict=True))
        values = np.full([len(each) for each in selected], _missing(self.dtype), self.dtype)
        for task in self._plan.writers(self._variable, dict(zip(self._variable.dims, selected, strict=True))):
            if task.key in self._done:
                self._fill(values, selected, task)
        return values[tuple(0 if isinstance(part, (int, np.integer)) else slice(None) for part in key)]

    def _fill(self, values: NDArray[Any], selected: Selected, task: Task) -> None:
        """Put what the task wrote at the selected positions into `values`."""
        starts, inside = _overlap(selected, self._plan.region(task, self._variable))
        name = self._variable.name
        with self._blame():
            if not self._variable.is_large:
                block = self._store.read_output(task, [name])[name]
                values[np.ix_(*inside)] = block[np.ix_(*_relative(selected, inside, starts))]
                return
            images = selected[0][inside[0]].tolist()
            for row, block in zip(inside[0], self._store.read_chunks(task, name, images), strict=True):
                values[np.ix_([row], *inside[1:])] = block[np.ix_(*_relative(selected[1:], inside[1:], starts[1:]))]

    @contextmanager
    def _blame(self) -> Iterator[None]:
        try:
            yield
        except DamagedTask as damage:
            raise refusal_of(self._location, damage) from damage


def _overlap(selected: Selected, region: tuple[slice, ...]) -> tuple[list[int], Selected]:
    """Return the start of a region along each dimension, and which of the selected positions lie in it."""
    starts = [part.start or 0 for part in region]
    ends = [np.iinfo(np.int64).max if part.stop is None else part.stop for part in region]
    inside = (np.flatnonzero((at >= start) & (at < end)) for at, start, end in zip(selected, starts, ends, strict=True))
    return starts, tuple(inside)


def _relative(selected: Selected, inside: Selected, starts: Sequence[int]) -> Selected:
    return tuple(at[rows] - start for at, rows, start in zip(selected, inside, starts, strict=True))


def _missing(dtype: np.dtype[Any]) -> float | int:
    """Return the value that stands where no task has written."""
    return np.nan if dtype.kind == "f" else 0


def _without_string_type(values: NDArray[Any]) -> NDArray[Any]:
    """Return texts of variable length as texts of a fixed one, which xarray indexes faster."""
    return np.array(values.tolist()) if values.dtype.kind == "T" else values
