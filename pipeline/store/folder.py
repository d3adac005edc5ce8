"""A folder as a store: links, pipes and devices in it are no objects, and nothing is written through a link."""

from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from stat import S_ISREG

from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import LocalStore

from pipeline.machine.files import MIB, OF_THE_PATH, TEXT
from pipeline.plan.schema import PREPARED
from pipeline.plan.stages import VARIABLES
from pipeline.store.receipts import METADATA
from pipeline.store.records import (
    WAY_OUT,
    is_record,
    key_in_records,
    key_in_store,
    records_folder,
    refuse_other_folder,
)
from srd.errors import DamagedStore

MOST_PREPARED = 1024 * MIB
"""The most bytes of an object that was prepared. That of a task is bounded by the array that it belongs to."""
WRITTEN = frozenset(VARIABLES) - frozenset(PREPARED)


class Folder(LocalStore):
    """A folder that may be somebody else's.

    Whatever in it is no regular file below it, or is larger than what this program writes, reads as missing. Records
    lie in the folder beside it.
    """

    def __init__(self, root: Path | str, *, read_only: bool = False) -> None:
        super().__init__(Path(root).resolve(), read_only=read_only)
        self._records = LocalStore(records_folder(self.root), read_only=read_only)

    def place_of(self, key: str) -> Path:
        """Return the path of an object, or of all objects whose keys begin with `key/`."""
        return self._records.root / key_in_records(key) if is_record(key) else self.root / key

    def size(self, key: str) -> int | None:
        """Return the bytes of an object; None if it is missing."""
        path = self.place_of(key)
        try:
            status = path.lstat()
        except OSError as error:
            if error.errno not in OF_THE_PATH:
                raise
            return None
        is_own = S_ISREG(status.st_mode) and path.resolve() == path
        return status.st_size if is_own else None

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return the content of an object, or a part of it; None if it is missing."""
        if not self._is_object(key):
            return None
        if is_record(key):
            return await self._records.get(key_in_records(key), prototype, byte_range)
        return await super().get(key, prototype, byte_range)

    def get_sync(
        self, key: str, *, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return what `get` does."""
        if not self._is_object(key):
            return None
        if is_record(key):
            return self._records.get_sync(key_in_records(key), prototype=prototype, byte_range=byte_range)
        return super().get_sync(key, prototype=prototype, byte_range=byte_range)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Return what `get` does, of several objects."""
        return [await self.get(key, prototype, byte_range) for key, byte_range in key_ranges]

    async def exists(self, key: str) -> bool:
        """Return whether there is such an object."""
        return self._is_object(key)

    async def set(self, key: str, value: Buffer) -> None:
        """Write an object.

        Raises
        ------
        DamagedStore
            If what lies there, or on the way to it, can be no part of a store.
        """
        self.refuse_obstacles(key)
        if is_record(key):
            await self._records.set(key_in_records(key), value)
        else:
            await super().set(key, value)

    def set_sync(self, key: str, value: Buffer) -> None:
        """Write an object as `set` does."""
        self.refuse_obstacles(key)
        if is_record(key):
            self._records.set_sync(key_in_records(key), value)
        else:
            super().set_sync(key, value)

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        """Write an object as `set` does, if it is missing."""
        self.refuse_obstacles(key)
        if is_record(key):
            await self._records.set_if_not_exists(key_in_records(key), value)
        else:
            await super().set_if_not_exists(key, value)

    async def delete(self, key: str) -> None:
        """Delete an object.

        Raises
        ------
        DamagedStore
            As `set` does.
        """
        self.refuse_obstacles(key)
        if is_record(key):
            await self._records.delete(key_in_records(key))
        else:
            await super().delete(key)

    async def list(self) -> AsyncIterator[str]:
        """Yield the keys of all objects, records among them."""
        async for key in super().list():
            yield key
        if self._records.root.is_dir():
            async for key in self._records.list():
                yield key_in_store(key)

    def refuse_obstacles(self, key: str) -> None:
        """Refuse what lies where an object goes, or on the way to it, and which writing the object does not replace.

        Raises
        ------
        DamagedStore
            If a folder lies there, or a link or a file in place of a folder on the way.
        """
        path = self.place_of(key)
        for folder in list(path.parents)[: len(Path(key).parts) - 1 + is_record(key)]:
            refuse_other_folder(folder)
        if path.is_dir() and not path.is_symlink():
            raise DamagedStore(f"{path}: is a folder, not an object of the store; {WAY_OUT}")

    def _is_object(self, key: str) -> bool:
        size = self.size(key)
        return size is not None and size <= _most_bytes(key)


def _most_bytes(key: str) -> float:
    """Return the most bytes that an object may have which is read whole."""
    name, _, rest = key.partition("/")
    if is_record(key) or METADATA in {name, rest}:
        return TEXT
    return float("inf") if name in WRITTEN else MOST_PREPARED
