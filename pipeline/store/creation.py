"""The creation of a store: whole, before any task, and with the same bytes whoever creates it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch

import numpy as np
import zarr
from zarr.abc.store import Store
from zarr.core.buffer import Buffer, default_buffer_prototype
from zarr.core.sync import sync
from zarr.storage import MemoryStore

from pipeline.plan.schema import PREPARED
from pipeline.store.arrays import COORDINATES, array_of, create_arrays
from pipeline.store.attributes import RunAttributes
from pipeline.store.consolidation import consolidate
from pipeline.store.location import Location
from pipeline.store.manifest import MANIFEST, check_root, damaged_objects, manifest_of
from pipeline.store.receipts import LITTER, METADATA
from pipeline.store.records import records_url
from pipeline.store.sources import SOURCES, Sources
from pipeline.store.store import Arrays
from srd.errors import DamagedStore, StoreError


@dataclass(frozen=True)
class NewStore:
    """All that is written of a store before any task."""

    coordinates: Mapping[str, Sequence[str | float]]
    prepared: Arrays
    attributes: RunAttributes
    sources: Sources = field(default_factory=Sources)


def create(location: Location, new: NewStore) -> None:
    """Create the whole store, which is empty except for the coordinates and the prepared arrays.

    Its root is written last: without it there is no store, and what a killed process has left is written again. A store
    that another process has finished in the meantime stays as it is.

    Raises
    ------
    StoreError
        If remains of something else lie there.
    """
    objects = objects_of(new)
    store = location.open()
    if not sync(store.exists(METADATA)):  # by name: a listing may be older than what another process has made
        _refuse_remains(location, sync(_keys(store)) - objects.keys())
        sync(_put(store, objects))


def find_damaged_objects(location: Location) -> list[str]:
    """Return the keys of the objects that are no longer as `create` wrote them.

    Raises
    ------
    DamagedStore
        If the root or the manifest is damaged: then nothing says what belongs there.
    """
    store = location.open(read_only=True)
    check_root(store, location)
    return damaged_objects(store, location)


def mend(location: Location, new: NewStore, keys: Iterable[str]) -> None:
    """Write objects again as `create` wrote them.

    Raises
    ------
    DamagedStore
        If one of them is no object of the new store.
    """
    objects = objects_of(new)
    try:
        damaged = {key: objects[key] for key in keys}
    except KeyError as error:
        raise DamagedStore(f"{location}: {error} is no part of a store; remove the store, and run again") from None
    sync(_put(location.open(), damaged))


def objects_of(new: NewStore) -> dict[str, Buffer]:
    """Return all objects of the new store, by key; the manifest among them is of all others."""
    objects: dict[str, Buffer] = {}
    group = zarr.create_group(MemoryStore(objects), attributes=new.attributes.model_dump(mode="json"))
    create_arrays(group, new.attributes.plan)
    values = {**new.coordinates, **new.prepared}
    for name in (*COORDINATES, *PREPARED):
        array = array_of(group, name)
        array[:] = np.asarray(values[name], array.dtype)
    consolidate(objects)
    objects[SOURCES] = default_buffer_prototype().buffer.from_bytes(new.sources.model_dump_json(indent=1).encode())
    return {**objects, MANIFEST: manifest_of(objects)}


async def _keys(store: Store) -> frozenset[str]:
    return frozenset([key async for key in store.list() if not fnmatch(key, LITTER)])


async def _put(store: Store, objects: Mapping[str, Buffer]) -> None:
    for key in sorted(objects, key=lambda key: (key == METADATA, key)):
        await store.set(key, objects[key])


def _refuse_remains(location: Location, keys: frozenset[str]) -> None:
    if keys:
        raise StoreError(
            f"{location}: holds remains of something else, such as {min(keys)}, and no {METADATA}; "
            f"restore that, choose another place, or remove this one and {records_url(location.url)}"
        )
