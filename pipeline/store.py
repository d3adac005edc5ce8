"""The Zarr store of a run: made whole before any task, filled region by region, closed task by task with a receipt."""

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from fnmatch import fnmatch
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray
from zarr.codecs import ZstdCodec
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync
from zarr.storage import LocalStore

from pipeline.conditions import Condition
from pipeline.plan import Plan, Task
from pipeline.schema import PREPARED, VARIABLES, Variable
from srd.errors import StoreError

Arrays = Mapping[str, NDArray[Any]]

NAME = "audit.zarr"
LEDGER = "_ledger"
FAILURES = "_failures"
CONDITION_FACTS = tuple(f"perturbation_{fact}" for fact in ("name", "family", "strength", "norm", "against"))
"""Coordinates along the perturbation axis, beside its ids."""
DRAFT = ".draft-"
LITTER = "*.partial"  # what a killed process leaves of an object it was writing


def create(
    path: Path,
    plan: Plan,
    conditions: Iterable[Condition],
    coordinates: Mapping[str, Iterable[str]],
    prepared: Arrays,
    attributes: Mapping[str, Any],
) -> None:
    """Makes the whole store, empty but for coordinates and what is `prepared`; it appears at once or not at all.

    A store that another process has made meanwhile stays as it is.
    """
    draft = path.with_name(f"{path.name}{DRAFT}{uuid4().hex}")
    group = zarr.create_group(LocalStore(draft), attributes=dict(attributes))
    for name in (LEDGER, FAILURES):
        group.create_group(name)
    for name, values in (*coordinates.items(), *_condition_coordinates(conditions).items()):
        _create_coordinate(group, name, list(values))
    for variable in VARIABLES.values():
        if plan.holds(variable):
            _create_variable(group, variable, plan)
    for name in PREPARED:
        _array(group, name)[:] = prepared[name]
    try:
        draft.rename(path)
    except OSError:
        shutil.rmtree(draft)
        if not path.exists():
            raise


class Store:
    """The store of one run, as its tasks use it."""

    def __init__(self, path: Path, plan: Plan) -> None:
        self._plan = plan
        self._group = zarr.open_group(LocalStore(path), mode="r+")

    def read(self, name: str, *region: slice | int) -> NDArray[Any]:
        """Values of a variable in a region."""
        return np.asarray(_array(self._group, name)[region])

    def write(self, task: Task, arrays: Arrays) -> None:
        """Writes what the task made, whole shards, then its receipt, which holds their digest."""
        for variable in self._plan.variables(task):
            _write(_array(self._group, variable.name), self._plan.region(task, variable), arrays[variable.name])
        _put(self._group, f"{LEDGER}/{task.key}", {"sha256": _digest(arrays)})

    def done(self) -> frozenset[str]:
        """Keys of all tasks that have a receipt."""
        return receipts(self._group)

    def missing(self, tasks: Iterable[Task]) -> list[Task]:
        """Those tasks that have no receipt."""
        done = self.done()
        return [task for task in tasks if task.key not in done]

    def withdraw(self, keys: Iterable[str]) -> None:
        """Deletes receipts: the tasks will be done again."""
        for key in keys:
            sync(self._group.store.delete(f"{LEDGER}/{key}"))

    def record_failures(self, causes: Mapping[str, str], done: frozenset[str]) -> None:
        """Keeps the causes by the keys of the tasks that failed, and forgets those of tasks that are now done."""
        for key in _failures(self._group).keys() & done:
            sync(self._group.store.delete(f"{FAILURES}/{key}"))
        for key, cause in causes.items():
            _put(self._group, f"{FAILURES}/{key}", {"cause": cause})


def receipts(group: zarr.Group) -> frozenset[str]:
    """Keys of all tasks that are done."""

    return frozenset(_listed(group, LEDGER))


def failures(path: Path) -> dict[str, str]:
    """Causes of the failures that the last run could not mend, by the tasks' keys."""
    return _failures(_opened(path))


def _failures(group: zarr.Group) -> dict[str, str]:
    prototype = default_buffer_prototype()
    found = {key: sync(group.store.get(f"{FAILURES}/{key}", prototype)) for key in sorted(_listed(group, FAILURES))}
    return {key: json.loads(value.to_bytes())["cause"] for key, value in found.items() if value is not None}


def _listed(group: zarr.Group, folder: str) -> list[str]:
    async def listed() -> list[str]:
        return [key async for key in group.store.list_dir(folder) if key != "zarr.json" and not fnmatch(key, LITTER)]

    return sync(listed())


def _put(group: zarr.Group, key: str, value: Mapping[str, str]) -> None:
    content = json.dumps(value, sort_keys=True).encode()
    sync(group.store.set(key, default_buffer_prototype().buffer.from_bytes(content)))


def attributes(path: Path) -> dict[str, Any]:
    """What the store says of itself. Raises StoreError if there is none."""
    return dict(_opened(path).attrs)


def progress(path: Path) -> dict[str, tuple[int, int]]:
    """Tasks done and planned, per stage."""
    group = _opened(path)
    plan, done = plan_of(dict(group.attrs)), receipts(group)
    counts: dict[str, tuple[int, int]] = {}
    for task in plan.all_tasks():
        finished, planned = counts.get(task.stage, (0, 0))
        counts[task.stage] = (finished + (task.key in done), planned + 1)
    return counts


def open_results(path: Path) -> xr.Dataset:
    """The store as a Dataset with named dimensions and coordinates; nothing is loaded before it is used."""
    _opened(path)
    dataset = xr.open_zarr(path, consolidated=False, chunks=None)
    texts = [name for name in dataset.variables if dataset[name].dtype.kind == "T"]
    labelled: xr.Dataset = dataset.assign_coords({name: _text(dataset[name]) for name in texts})
    return labelled.set_coords(CONDITION_FACTS)


def remove_litter(path: Path) -> None:
    """Deletes what killed processes left half written."""
    for file in path.rglob(LITTER):
        file.unlink(missing_ok=True)
    for draft in path.parent.glob(f"{path.name}{DRAFT}*"):
        shutil.rmtree(draft, ignore_errors=True)


def plan_of(attributes: Mapping[str, Any]) -> Plan:
    """The plan that a store was made from."""
    plan = attributes["plan"]
    return Plan(**{**plan, "attacks": tuple(plan["attacks"]), "universal": tuple(plan["universal"])})


def plan_attribute(plan: Plan) -> dict[str, Any]:
    """The plan as the store keeps it."""
    return {**asdict(plan), "sizes": dict(plan.sizes)}


def _opened(path: Path) -> zarr.Group:
    try:
        group = zarr.open_group(LocalStore(path, read_only=True), mode="r")
    except FileNotFoundError:
        raise StoreError(f"{path}: no run here; start one with `srd-audit run SPEC`") from None
    except Exception as error:  # damaged metadata may raise anything
        text = f"{type(error).__name__}: {error}"
        raise StoreError(f"{path}: cannot be read ({text}); restore its zarr.json, or remove the folder") from error
    if "fingerprint" not in group.attrs:
        raise StoreError(f"{path}: is not the store of an audit; choose another folder with --out, or remove this one")
    return group


def _text(array: xr.DataArray) -> tuple[str, list[str]]:
    return str(array.dims[0]), array.values.tolist()


def _condition_coordinates(conditions: Iterable[Condition]) -> dict[str, list[Any]]:
    """Coordinates along the perturbation axis."""
    columns = list(conditions)
    return {
        "perturbation": [condition.id for condition in columns],
        **{name: [getattr(c, name.removeprefix("perturbation_")) for c in columns] for name in CONDITION_FACTS},
    }


def _create_coordinate(group: zarr.Group, name: str, values: list[Any]) -> None:
    numeric = all(isinstance(value, float) for value in values)
    data = np.array(values, np.float64 if numeric else np.dtypes.StringDType())
    group.create_array(name, data=data, dimension_names=[name.partition("_")[0]], compressors=_compressors())


def _create_variable(group: zarr.Group, variable: Variable, plan: Plan) -> None:
    shard, chunk = variable.shard(plan.sizes, plan.tile), variable.chunk(plan.sizes, plan.tile)
    fill: Any = {"float16": np.nan, "float32": np.nan, "bool": False}.get(variable.dtype, 0)
    group.create_array(
        variable.name,
        shape=[plan.sizes[dim] for dim in variable.dims],
        dtype=variable.dtype,
        chunks=chunk,
        shards=shard if shard != chunk else None,
        compressors=_compressors(),
        fill_value=fill,
        dimension_names=list(variable.dims),
        attributes={"meaning": variable.meaning},
    )


def _compressors() -> ZstdCodec:
    return ZstdCodec(level=1, checksum=True)


def _array(group: zarr.Group, name: str) -> zarr.Array[Any]:
    array = group[name]
    if not isinstance(array, zarr.Array):
        raise StoreError(f"{name} is not an array")
    return array.with_config({"write_empty_chunks": True})


def _write(array: zarr.Array[Any], region: tuple[slice, ...], values: NDArray[Any]) -> None:
    """A damaged shard cannot be overwritten by zarr 3.1, which reads it first: it is deleted, then written."""
    try:
        array[region] = values
    except (ValueError, RuntimeError):
        _delete_shard(array, region)
        array[region] = values


def _delete_shard(array: zarr.Array[Any], region: tuple[slice, ...]) -> None:
    shard = array.shards or array.chunks
    position = [(part.start or 0) // size for part, size in zip(region, shard, strict=True)]
    sync(array.store.delete(f"{array.path}/{array.metadata.encode_chunk_key(tuple(position))}"))


def _digest(arrays: Arrays) -> str:
    digest = sha256()
    for name in sorted(arrays):
        values = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {values.dtype.str} {values.shape}".encode() + values.tobytes())
    return digest.hexdigest()
