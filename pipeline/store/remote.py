"""A store behind a network. It is apart from the locations of stores, since Zarr takes long to import."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import FsspecStore, ObjectStore, WrapperStore

from pipeline.store.records import is_record, key_in_records, key_in_store, records_url
from srd.errors import StoreError

OBJECT_STORES = frozenset("s3 s3a gs az azure adl abfs abfss http https".split())
"""The URL schemes of obstore."""
CLIENT_OPTIONS = frozenset(
    "allow_http allow_invalid_certificates connect_timeout default_content_type http1_only http2_keep_alive_interval "
    "http2_keep_alive_timeout http2_keep_alive_while_idle http2_only pool_idle_timeout pool_max_idle_per_host "
    "proxy_ca_certificate proxy_excludes proxy_url randomize_addresses read_timeout root_certificate timeout "
    "user_agent".split()
)
"""The options of obstore's connections, for any scheme. Its other options belong to the scheme."""
RETRIES = "max_retries"
"""The option that says how often obstore sends a request again."""
REFUSALS = frozenset(("PermissionError", "PermissionDeniedError", "UnauthenticatedError"))
"""The names that Python and obstore have for a refused access."""


def open_remote(url: str, options: Mapping[str, str], read_only: bool) -> Store:
    """Open a place that is no folder as a Zarr store.

    Raises
    ------
    StoreError
        If no library knows the scheme or an option.
    """
    try:
        store, records = (_store_of_library(place, options, read_only) for place in (url, records_url(url)))
        return _Remote(store, records, url)
    except Exception as error:
        raise StoreError(f"{url}: {_text(error)}; correct url and options of the store") from error


def _store_of_library(url: str, options: Mapping[str, str], read_only: bool) -> Store:
    if urlsplit(url).scheme in OBJECT_STORES:
        return ObjectStore(_object_store(url, options), read_only=read_only)
    return FsspecStore.from_url(url, storage_options=dict(options), read_only=read_only)


def _object_store(url: str, options: Mapping[str, str]) -> Any:
    from obstore.store import from_url

    client = {name: value for name, value in options.items() if name in CLIENT_OPTIONS}
    config = {name: value for name, value in options.items() if name not in {*CLIENT_OPTIONS, RETRIES}}
    retries: Any = {RETRIES: int(options[RETRIES])} if RETRIES in options else None
    return from_url(url, config=config or None, client_options={"allow_http": True, **client}, retry_config=retries)  # type: ignore[call-overload]


class _Remote(WrapperStore[Store]):
    """A store behind a network, with its records beside it: what their library raises is an OSError of the place."""

    _get_many = Store._get_many
    _set_many = Store._set_many

    def __init__(self, store: Store, records: Store, place: str) -> None:
        super().__init__(store)
        self._records, self._place = records, place

    def _with_store(self, store: Store) -> "_Remote":
        return _Remote(store, self._records, self._place)

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        store, inner = self._home(key)
        with self._environment():
            return await store.get(inner, prototype, byte_range)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        with self._environment():
            return await super().get_partial_values(prototype, key_ranges)

    async def exists(self, key: str) -> bool:
        store, inner = self._home(key)
        with self._environment():
            return await store.exists(inner)

    async def set(self, key: str, value: Buffer) -> None:
        store, inner = self._home(key)
        with self._environment():
            await store.set(inner, value)

    async def delete(self, key: str) -> None:
        store, inner = self._home(key)
        with self._environment():
            await store.delete(inner)

    async def list(self) -> AsyncIterator[str]:
        async for key in self._list_keys(self._store.list()):
            yield key
        async for key in self._list_keys(self._records.list()):
            yield key_in_store(key)

    def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        return self._list_keys(super().list_prefix(prefix))

    def list_dir(self, prefix: str) -> AsyncIterator[str]:
        store, inner = self._home(prefix)
        return self._list_keys(store.list_dir(inner))

    def _home(self, key: str) -> tuple[Store, str]:
        """Return the store that holds an object, and its key there."""
        return (self._records, key_in_records(key)) if is_record(key) else (self._store, key)

    async def _list_keys(self, keys: AsyncIterable[str]) -> AsyncIterator[str]:
        with self._environment():
            async for key in keys:
                yield key

    @contextmanager
    def _environment(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            kind = PermissionError if type(error).__name__ in REFUSALS else OSError
            raise kind(f"{self._place}: {_text(error)}") from error


def _text(error: Exception) -> str:
    """Return an error's message as one line: obstore's errors go on with pages for its developers."""
    return " ".join(str(error).partition("\n\nDebug source")[0].split()) or type(error).__name__
