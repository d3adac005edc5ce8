"""The location of a store: a folder, a bucket of an object store, or any other place that fsspec knows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from pipeline.spec.secrets import WAY_OUT, is_secret_name, is_secret_value
from pipeline.store.addresses import check_address
from srd.errors import StoreError

if TYPE_CHECKING:
    from zarr.abc.store import Store


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

    def open(self, read_only: bool = False) -> "Store":
        """Open the place as a Zarr store, which need not hold anything yet.

        Whatever fails later is an OSError.

        Raises
        ------
        StoreError
            If no library knows the scheme or an option, or if a file lies there.
        """
        from pipeline.store.folder import Folder
        from pipeline.store.remote import open_remote

        if self.path:
            if self.path.exists() and not self.path.is_dir():
                raise StoreError(f"{self}: is no folder, so it holds no store; remove it, or choose another place")
            return Folder(self.path, read_only=read_only)
        return open_remote(self.url, self.options, read_only)


def _refuse_secrets(url: str, options: Mapping[str, str]) -> None:
    secrets = [name for name, value in options.items() if is_secret_name(name) or is_secret_value(value)]
    for name in ["url"] * is_secret_value(url) + secrets:
        raise StoreError(f"{name} of a store: {WAY_OUT}")
