"""A server of the S3 protocol on loopback, which remembers every request and can be told to refuse some."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from threading import Thread
from types import TracebackType
from typing import Any, NamedTuple

from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync

from pipeline.store.location import Location

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "user", "AWS_SECRET_ACCESS_KEY": "secret"}
ERROR = "<?xml version='1.0'?><Error><Code>{0}</Code><Message>{0} it is</Message></Error>"


class Request(NamedTuple):
    """What was asked: `key` is empty for a listing."""

    method: str
    key: str


class S3Server:
    """moto's S3 in a thread of this process."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answer: Callable[[Request], str | None] | None = None
        """Status to answer a request with, such as `403 AccessDenied`; None to let S3 answer."""
        self._numbers = count()

    def __enter__(self) -> "S3Server":
        from moto.server import create_backend_app
        from werkzeug.serving import make_server

        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request
        self._moto = create_backend_app("s3")
        self._server = make_server("127.0.0.1", 0, self._respond, threaded=True)
        self._thread = Thread(target=self._server.serve_forever)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def bucket(self) -> "Bucket":
        """Make a new bucket."""
        name = f"audits-{next(self._numbers)}"
        self._moto.test_client().put(f"/{name}")
        return Bucket(self, name)

    def _respond(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        request = Request(environ["REQUEST_METHOD"], environ["PATH_INFO"].lstrip("/").partition("/")[2])
        self.requests.append(request)
        status = self.answer(request) if self.answer else None
        if status is None:
            answered: Iterable[bytes] = self._moto(environ, start)
            return answered
        start(status, [("Content-Type", "application/xml")])
        return [ERROR.format(status.partition(" ")[2]).encode()]


@dataclass(frozen=True)
class Bucket:
    """A bucket of the server."""

    server: S3Server
    name: str

    @property
    def options(self) -> dict[str, str]:
        return {"endpoint": self.server.url, "region": "eu-central-1", "max_retries": "1"}

    def __truediv__(self, prefix: str) -> Location:
        return Location(f"s3://{self.name}/{prefix}", self.options)

    def table(self, prefix: str) -> str:
        """Return the table [store] of a spec."""
        options = "".join(f'options.{name} = "{value}"\n' for name, value in self.options.items())
        return f'[store]\nurl = "s3://{self.name}/{prefix}"\n{options}'


def objects(location: Location) -> dict[str, str]:
    """Return the digest of every object of a store, by key."""
    store = location.open(read_only=True)

    async def digests() -> dict[str, str]:
        found = {}
        async for key in store.list():
            content = await store.get(key, default_buffer_prototype())
            assert content is not None
            found[key] = sha256(content.to_bytes()).hexdigest()
        return found

    return sync(digests())
