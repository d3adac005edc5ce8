"""The creation of a store: whole, before any task, and with the same bytes whoever creates it."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from typing import Any

import numpy as np
import zarr
from zarr.abc.store import Store
from zarr.codecs import ZstdCodec
from zarr.core.buffer import Buffer
from zarr.core.sync import sync
from zarr.storage import MemoryStore

from pipeline.plan.conditions import Condition
from pipeline.plan.schema import CONDITION_FACTS, PREPARED, Variable
from pipeline.plan.stages import VARIABLES
from pipeline.plan.tasks import Plan
from pipeline.store.attributes import RunAttributes
from pipeline.store.location import Location
from pipeline.store.receipts import FAILURES, LITTER, METADATA, RECEIPTS
from pipeline.store.store import Arrays, array_of, digest_of
from srd.errors import StoreError


def create(
    location: Location,
    conditions: Iterable[Condition],
    coordinates: Mapping[str, Iterable[str]],
    prepared: Arrays,
    attributes: RunAttributes,
) -> None:
    """Create the whole store, which is empty except for the coordinates and the arrays `prepared`.

    Its root is written last: without it there is no store, and what a killed process has left is written again. A store
    that another process has finished in the meantime stays as it is.

    Raises
    ------
    StoreError
        If remains of something else lie there.
    """
    template = _template(conditions, coordinates, prepared, attributes)
    store = location.open()
    present = sync(_keys(store))
    if METADATA not in present:
        _refuse_remains(location, present - template.keys())
        sync(_put(store, template))


def _template(
    conditions: Iterable[Condition],
    coordinates: Mapping[str, Iterable[str]],
    prepared: Arrays,
    attributes: RunAttributes,
) -> dict[str, Buffer]:
    """Return all objects of the new store, by key."""
    template: dict[str, Buffer] = {}
    group = zarr.create_group(MemoryStore(template), attributes=attributes.model_dump(mode="json"))
    for name in (RECEIPTS, FAILURES):
        group.create_group(name)
    for name, values in (*coordinates.items(), *_condition_coordinates(conditions).items()):
        _create_coordinate(group, name, list(values))
    for variable in VARIABLES.values():
        if attributes.plan.holds(variable):
            _create_variable(group, variable, attributes.plan)
    for name in PREPARED:
        array_of(group, name)[:] = prepared[name]
    return template


def digests_of(prepared: Arrays) -> dict[str, str]:
    """Return the digest of each array that is written before any task, as the store's attributes hold it."""
    return {name: digest_of(np.asarray(prepared[name], PREPARED[name].dtype)) for name in PREPARED}


async def _keys(store: Store) -> frozenset[str]:
    return frozenset([key async for key in store.list() if not fnmatch(key, LITTER)])


async def _put(store: Store, template: Mapping[str, Buffer]) -> None:
    for key in sorted(template, key=lambda key: (key == METADATA, key)):
        await store.set(key, template[key])


def _refuse_remains(location: Location, keys: frozenset[str]) -> None:
    if keys:
        raise StoreError(
            f"{location}: holds remains of something else, such as {min(keys)}, and no {METADATA}; "
            "restore that, choose another place, or remove this one"
        )


def _condition_coordinates(conditions: Iterable[Condition]) -> dict[str, list[Any]]:
    """Return the coordinates along the perturbation axis."""
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
