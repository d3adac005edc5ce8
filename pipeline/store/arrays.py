"""The arrays of a store, as its plan makes them: coordinates, prepared arrays, and those that tasks fill."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import zarr
from zarr.codecs import ZstdCodec
from zarr.core.buffer import default_buffer_prototype
from zarr.storage import MemoryStore

from pipeline.plan.schema import CONDITION_FACTS, PREPARED, TILE, Variable
from pipeline.plan.stages import VARIABLES
from pipeline.plan.tasks import Plan
from pipeline.store.receipts import METADATA
from pipeline.store.sources import SOURCES
from srd.errors import DamagedStore

_NUMERIC: Mapping[str, Any] = MappingProxyType(
    {"perturbation_strength": np.float64, "perturbation_draw": np.int64, "step": np.float64}
)
_NAMED = (
    *(TILE, "class", "perturbation", "measure", "method", "metric", "reference", "similarity", "evidence", "quality"),
    *("subset", "answer", "control", "fill", "order", "step", "ranking", "depth"),
)
COORDINATES: Mapping[str, str] = MappingProxyType(
    {
        **{dim: dim for dim in _NAMED},
        **dict.fromkeys(CONDITION_FACTS, "perturbation"),
        "method_title": "method",
    }
)
"""The dimension of each coordinate, by the coordinate's name."""


def create_arrays(group: zarr.Group, plan: Plan) -> None:
    """Create all arrays of a plan, which are empty."""
    for name, dim in COORDINATES.items():
        _create_coordinate(group, name, dim, plan.sizes[dim])
    for variable in VARIABLES.values():
        if plan.holds(variable):
            _create_variable(group, variable, plan)


def array_of(group: zarr.Group, name: str) -> zarr.Array[Any]:
    """Return an array that also writes shards of nothing but its fill value, which are results as well."""
    array = group[name]
    if not isinstance(array, zarr.Array):
        raise DamagedStore(f"{name} is not an array; restore the store from a copy, or remove it")
    return array.with_config({"write_empty_chunks": True})


def prepared_keys(plan: Plan) -> frozenset[str]:
    """Return the keys of all objects that are written before any task, other than the manifest."""
    arrays = [*COORDINATES, *(name for name, variable in VARIABLES.items() if plan.holds(variable))]
    metadata = (f"{name}/{METADATA}" for name in arrays)
    return frozenset({METADATA, SOURCES, *metadata, *(f"{name}/c/0" for name in (*COORDINATES, *PREPARED))})


def check_arrays(group: zarr.Group, plan: Plan, place: object) -> None:
    """Check that the arrays of a store are those of its plan, as this program makes them.

    Nothing is read of the arrays themselves, which a foreign codec might turn into anything.

    Raises
    ------
    DamagedStore
        If an array is missing, or has another shape, type, fill value or codec.
    """
    planned = zarr.create_group(MemoryStore())
    create_arrays(planned, plan)
    for name, array in planned.arrays():
        if not _is_same(group, name, array):
            raise DamagedStore(f"{place}: array {name} is not that of the plan; restore it, or remove the store")


def _is_same(group: zarr.Group, name: str, expected: zarr.Array[Any]) -> bool:
    try:
        found = group[name]
    except KeyError:
        return False
    return isinstance(found, zarr.Array) and _metadata(found) == _metadata(expected)


def _metadata(array: zarr.Array[Any]) -> bytes:
    """Return the metadata as this program writes them: those that were read may have a fill value that is NaN."""
    return array.metadata.to_buffer_dict(default_buffer_prototype())[METADATA].to_bytes()


def _create_coordinate(group: zarr.Group, name: str, dim: str, size: int) -> None:
    dtype = _NUMERIC.get(name, np.dtypes.StringDType())
    group.create_array(
        name, shape=(size,), chunks=(size,), dtype=dtype, dimension_names=[dim], compressors=_compressors()
    )


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
