"""The manifest of a store: the digest of every object that was written before any task.

It is the receipt of the preparation. Who can write a store can write its manifest as well: digests find what was
changed in part or by mistake; they prove no authorship.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from hashlib import sha256

from pydantic import BaseModel, ConfigDict, ValidationError
from zarr.abc.store import Store
from zarr.core.buffer import Buffer, default_buffer_prototype
from zarr.core.sync import sync

from pipeline.store.folder import Folder
from pipeline.store.receipts import METADATA, PREPARATION, Digest
from pipeline.store.records import records_url
from srd.errors import DamagedStore

MANIFEST = f"{PREPARATION}/manifest"
TOGETHER = 16
"""The number of objects that are read at the same time."""


class Manifest(BaseModel):
    """The digests of objects, by key. The objects of one array begin with its name, so stages can be told apart."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: Mapping[str, Digest]
    former: Digest | None = None
    """The digest of the root that is about to be replaced, while a store is made anew: else nothing would vouch for
    one of the two."""

    @property
    def roots(self) -> frozenset[str]:
        """Return the digests of the roots that may lie there."""
        return frozenset({self.sha256.get(METADATA), self.former} - {None})  # type: ignore[arg-type]


def manifest_of(objects: Mapping[str, Buffer], former: str | None = None) -> Buffer:
    """Return the manifest of objects, which are given by key; `former` is that of `Manifest`."""
    digests = {key: digest_of(content) for key, content in sorted(objects.items())}
    text = Manifest(sha256=digests, former=former).model_dump_json(indent=1, exclude_none=True)
    return default_buffer_prototype().buffer.from_bytes(text.encode())


def check_root(store: Store, place: object) -> None:
    """Check that the root of a store, which holds its attributes, is as it was written.

    Raises
    ------
    DamagedStore
        If it is not, or if the manifest is missing or damaged.
    """
    if root_digest(store) not in read_manifest(store, place).roots:
        raise DamagedStore(f"{place}: {METADATA} is not what was written; restore it, or remove the store")


def root_digest(store: Store) -> str | None:
    """Return the digest of the root as it lies there; None if there is none."""
    return sync(_digests(store, [METADATA]))[METADATA]


def damaged_objects(store: Store, place: object) -> list[str]:
    """Return the keys of the objects that are not as they were written before any task.

    The manifest is among them if it still vouches for a root that has been replaced.

    Raises
    ------
    DamagedStore
        If the manifest is missing or damaged.
    """
    manifest = read_manifest(store, place)
    return [*_changed_keys(store, manifest.sha256), *[MANIFEST] * (manifest.former is not None)]


def check_preparation(store: Store, keys: Collection[str], place: object) -> None:
    """Check that every object that was written before any task is as it was written.

    Parameters
    ----------
    keys
        The keys of these objects.

    Raises
    ------
    DamagedStore
        If an object is not, or if the manifest is missing or damaged, or is that of other objects.
    """
    manifest = read_manifest(store, place)
    digests = manifest.sha256
    if manifest.former is not None and root_digest(store) == manifest.former:
        raise DamagedStore(f"{place}: is half made anew, after a change of code; run the same spec, which goes on")
    unequal = digests.keys() ^ set(keys)
    if unequal:
        raise DamagedStore(f"{place}: {MANIFEST} is wrong about {min(unequal)}; restore it, or remove the store")
    damaged = _changed_keys(store, digests)
    if damaged and isinstance(store, Folder):
        for key in damaged:
            store.refuse_obstacles(key)  # the same spec could not mend these
    if damaged:
        raise DamagedStore(f"{place}: {min(damaged)} is not what was prepared; run the same spec, which mends it")


def read_manifest(store: Store, place: object) -> Manifest:
    """Return the manifest.

    Raises
    ------
    DamagedStore
        If it is missing or damaged.
    """
    content = sync(store.get(MANIFEST, default_buffer_prototype()))
    if content is None:
        raise DamagedStore(f"{place}: {MANIFEST} is missing; restore {records_url(str(place))}, or remove the store")
    try:
        return Manifest.model_validate_json(content.to_bytes())
    except ValidationError as error:
        raise DamagedStore(f"{place}: {MANIFEST} cannot be read; restore it, or remove the store") from error


def _changed_keys(store: Store, digests: Mapping[str, str | None]) -> list[str]:
    """Return the keys whose objects have other digests, or are missing."""
    found = sync(_digests(store, digests))
    return [key for key, digest in digests.items() if found[key] != digest]


async def _digests(store: Store, keys: Iterable[str]) -> dict[str, str | None]:
    free = asyncio.Semaphore(TOGETHER)

    async def digest(key: str) -> str | None:
        async with free:
            content = await store.get(key, default_buffer_prototype())
            return None if content is None else digest_of(content)

    keys = list(keys)
    return dict(zip(keys, await asyncio.gather(*map(digest, keys)), strict=True))


def digest_of(content: Buffer) -> str:
    """Return the digest of an object."""
    return sha256(content.to_bytes()).hexdigest()
