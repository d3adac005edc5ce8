"""The location of a store: a folder, a bucket of an object store, or any other place that fsspec knows."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import FsspecStore, ObjectStore, WrapperStore

from pipeline.spec.secrets import WAY_OUT, is_secret_name, is_secret_value
from pipeline.store.addresses import check_address
from pipeline.store.folder import Folder
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


@dataclass(frozen=True)
class Location:
    """A place for a store, as it is sent to workers.

    `url` is a path, which is made absolute, or scheme://...; `options` are those of the store, such as endpoint and
    region. Obstore or fsspec reads credentials from the environment.

    Raises
    ------
    StoreError
        If the options or the URL hold credentials, or if a part of the URL is none of a store's address.
    """

    url: str
    options: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        _refuse_secrets(self.url, self.options)
        check_address(self.url)
        parts = urlsplit(self.url)
        if "://" not in self.url or parts.scheme == "file":
            path = url2pathname(parts.path) if parts.scheme == "file" else self.url
            object.__setattr__(self, "url", str(Path(path).resolve()))

    def __str__(self) -> str:
        return self.url

    def __truediv__(self, name: str) -> "Location":
        if self.path and (self.path / name).is_symlink():
            raise StoreError(f"{self.path / name}: is a link; name its folder as url of the table [store]")
        return Location(f"{self.url.rstrip('/')}/{name}", self.options)

    @property
    def path(self) -> Path | None:
        """Return the path on this machine's file systems; None if the store lies elsewhere."""
        return None if "://" in self.url else Path(self.url)

    def open(self, read_only: bool = False) -> Store:
        """Open the place as a Zarr store, which need not hold anything yet.

        Whatever fails later is an OSError.

        Raises
        ------
        StoreError
            If no library knows the scheme or an option, or if a file lies there.
        """
        if self.path:
            if self.path.exists() and not self.path.is_dir():
                raise StoreError(f"{self}: is no folder, so it holds no store; remove it, or choose another place")
            return Folder(self.path, read_only=read_only)
        try:
            records = Location(records_url(self.url), self.options)
            return _Remote(self._remote(read_only), records._remote(read_only), self)
        except Exception as error:
            raise StoreError(f"{self}: {_text(error)}; correct url and options of the store") from error

    def _remote(self, read_only: bool) -> Store:
        if urlsplit(self.url).scheme in OBJECT_STORES:
            return ObjectStore(_object_store(self.url, self.options), read_only=read_only)
        return FsspecStore.from_url(self.url, storage_options=dict(self.options), read_only=read_only)


def _refuse_secrets(url: str, options: Mapping[str, str]) -> None:
    secrets = [name for name, value in options.items() if is_secret_name(name) or is_secret_value(value)]
    for name in ["url"] * is_secret_value(url) + secrets:
        raise StoreError(f"{name} of a store: {WAY_OUT}")


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

    def __init__(self, store: Store, records: Store, location: Location) -> None:
        super().__init__(store)
        self._records, self._location = records, location

    def _with_store(self, store: Store) -> "_Remote":
        return _Remote(store, self._records, self._location)

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
            raise kind(f"{self._location}: {_text(error)}") from error


def _text(error: Exception) -> str:
    """Return an error's message as one line: obstore's errors go on with pages for its developers."""
    return " ".join(str(error).partition("\n\nDebug source")[0].split()) or type(error).__name__
