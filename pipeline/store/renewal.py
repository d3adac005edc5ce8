"""The renewal of a store after a change of code: what it may have changed is done again, all else stays.

Receipts are withdrawn first, then changed objects are written, and the root in the end. Until then it is the old store
with some objects damaged, so whoever kills the process at any point leaves what the next run begins again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from zarr.abc.store import Store
from zarr.core.buffer import Buffer, default_buffer_prototype
from zarr.core.sync import sync

from pipeline.plan.schema import PREPARED
from pipeline.plan.stages import STAGES
from pipeline.store.arrays import COORDINATES
from pipeline.store.attributes import RunAttributes
from pipeline.store.creation import NewStore, objects_of
from pipeline.store.location import Location
from pipeline.store.manifest import MANIFEST, TOGETHER, digest_of, manifest_of, read_manifest, root_digest
from pipeline.store.receipts import METADATA, RECEIPTS, Receipts, sources_in
from pipeline.store.sources import PREPARING, Sources, differences, read_sources

SHOWN = 3
"""The number of changed files that are named."""


@dataclass(frozen=True)
class Renewal:
    """The store that is made of another, and which of its stages are done again."""

    objects: Mapping[str, Buffer]
    """All objects of the new store, by key, but the manifest."""
    changed: tuple[str, ...]
    """The keys of those that are others than before."""
    remade: tuple[str, ...]
    """The arrays that have other metadata in the new store, or are not in it: their shards could not be read."""
    redone: Mapping[str, str]
    """Why each stage is done again, by its name."""
    tasks: frozenset[str]
    """The keys of their tasks in the old store, each of which is looked for: a listing may be half a minute old."""
    ahead: Mapping[str, str]
    """The digest of the sources of stages that were others before: a receipt which has it is of a run that is ahead."""


def is_half_renewed(location: Location) -> bool:
    """Return whether a process was killed just before the new root of a store took the place of the old one."""
    store = location.open(read_only=True)
    return root_digest(store) == read_manifest(store, location).former


def plan_renewal(location: Location, before: RunAttributes, new: NewStore) -> Renewal:
    """Return what is to be done with the store at `location`, whose root holds the attributes `before`.

    A stage is done again if its sources are others, and with it what reads it. All are done again if what is explained,
    or the encoder, is another.
    """
    store, objects = location.open(read_only=True), objects_of(new)
    del objects[MANIFEST]
    known = read_manifest(store, location).sha256
    changed = tuple(key for key, content in objects.items() if known.get(key) != digest_of(content))
    others = [key.removesuffix(f"/{METADATA}") for key in (*changed, *(known.keys() - objects.keys()))]
    redone = _redone_stages(read_sources(store), before, new, changed)
    old, now = before.fingerprinted.sources, new.attributes.fingerprinted.sources
    return Renewal(
        objects=objects,
        changed=changed,
        remade=tuple(sorted(name for name in others if name.isidentifier() and not name.startswith("_"))),
        redone=redone,
        tasks=frozenset(task.key for task in before.plan.all_tasks() if task.stage in redone),
        ahead={name: now[name] for name in redone if name in now and now[name] != old.get(name)},
    )


def renew(location: Location, renewal: Renewal) -> None:
    """Make the store anew, its root last. Nothing is deleted but receipts, and what the new store could not read."""
    store = location.open()
    former = root_digest(store)
    receipts = Receipts(store)
    listed = (key for key in receipts.task_keys() if _stage(key) in renewal.redone)
    sync(
        _together(
            sorted({*listed, *receipts.find(renewal.tasks)}),
            lambda key: _withdraw(store, key, renewal.ahead.get(_stage(key))),
        )
    )
    sync(_delete_shards(store, renewal))
    for key in sorted(set(renewal.changed) - {METADATA}):
        sync(store.set(key, renewal.objects[key]))
    sync(store.set(MANIFEST, manifest_of(renewal.objects, former)))
    sync(store.set(METADATA, renewal.objects[METADATA]))
    sync(store.set(MANIFEST, manifest_of(renewal.objects)))


def _redone_stages(sources: Sources, before: RunAttributes, new: NewStore, changed: Collection[str]) -> dict[str, str]:
    """Return why each stage is done again, in the order of the stages."""
    old, now = before.fingerprinted.sources, new.attributes.fingerprinted.sources
    facts = [name for name in PREPARED if f"{name}/c/0" in changed]
    facts += ["encoder"] * (before.encoder != new.attributes.encoder)
    if facts:
        return dict.fromkeys((name for name in (*now, *old) if name != PREPARING), f"{_in_words(facts)} changed")
    touched, redone = _touched_stages(changed), {}
    for name in (name for name in STAGES if name in now):
        read = [rule.stage for rule in STAGES[name].reads if rule.stage in redone]
        own = differences(sources, new.sources, name) if old.get(name) != now[name] else []
        if own:
            redone[name] = f"{_in_words(own)} changed"
        elif read:
            redone[name] = f"it reads what {_in_words(read)} wrote"
        elif name in touched or old.get(name) != now[name]:
            redone[name] = "its sources or the names in its arrays changed"
    return redone | {name: "it has no tasks any more" for name in old if name not in now}


def _touched_stages(changed: Collection[str]) -> set[str]:
    """Return the stages of whose arrays the shapes, or the names along a dimension, are others."""
    arrays = {key.partition("/")[0] for key in changed}
    dims = {COORDINATES[name] for name in arrays & COORDINATES.keys()}
    return {
        name
        for name, stage in STAGES.items()
        if any(variable.name in arrays or dims & set(variable.dims) for variable in stage.writes)
    }


def _in_words(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" * (len(names) > SHOWN)
    return ", ".join(dict.fromkeys(names[:SHOWN])) + more


def _stage(key: str) -> str:
    """Return the stage in the key of a task."""
    return key.partition("-")[0]


async def _withdraw(store: Store, key: str, ahead: str | None) -> None:
    """Delete the receipt of a task, unless its sources have the digest `ahead`."""
    receipt = await store.get(f"{RECEIPTS}/{key}", default_buffer_prototype()) if ahead else None
    if receipt is None or sources_in(receipt.to_bytes()) != ahead:
        await store.delete(f"{RECEIPTS}/{key}")


async def _delete_shards(store: Store, renewal: Renewal) -> None:
    """Delete the objects of arrays that are made anew, other than those of the new store."""
    for name in renewal.remade:
        keys = [key async for key in store.list_prefix(f"{name}/") if key not in renewal.objects]
        await _together(keys, store.delete)


async def _together(keys: Sequence[str], act: Callable[[str], Awaitable[None]]) -> None:
    """Act on all keys, on some of them at the same time."""
    free = asyncio.Semaphore(TOGETHER)

    async def act_in_turn(key: str) -> None:
        async with free:
            await act(key)

    await asyncio.gather(*map(act_in_turn, keys))
