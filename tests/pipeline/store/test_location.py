"""Laws of a location: it says where, travels to workers, holds no secret, and is to blame for its own faults."""

import pickle
from pathlib import Path

import pytest
from s3_server import CREDENTIALS
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync
from zarr.storage import LocalStore

from pipeline.store.location import Location
from srd.errors import StoreError

CONTENT = default_buffer_prototype().buffer.from_bytes(b"content")


def test_a_path_is_made_absolute_where_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for url in ("runs/../runs/small", str(tmp_path / "runs" / "small"), (tmp_path / "runs" / "small").as_uri()):
        location = Location(url)
        assert str(location) == str(tmp_path / "runs" / "small")
        assert location.path == tmp_path / "runs" / "small"
    monkeypatch.chdir("/")
    assert (location / "audit.zarr").path == tmp_path / "runs" / "small" / "audit.zarr"
    assert isinstance(location.open(), LocalStore)


def test_a_child_keeps_the_options() -> None:
    options = {"region": "x"}
    for url in ("s3://bucket/a", "s3://bucket/a/"):
        assert Location(url, options) / "b" == Location("s3://bucket/a/b", options)
    assert Location("s3://bucket", options) / "b" != Location("s3://bucket/b")
    assert Location("s3://bucket").path is None


def test_it_travels_to_workers_and_stands_in_sets() -> None:
    location = Location("s3://bucket/a", {"region": "x"})
    assert pickle.loads(pickle.dumps(location)) == location
    assert len({location, pickle.loads(pickle.dumps(location)), Location("s3://bucket/a")}) == 2


@pytest.mark.parametrize(
    ("url", "options", "said"),
    [
        ("s3://b/a", {"aws_secret_access_key": "hidden"}, "^aws_secret_access_key of a store: looks like a secret"),
        ("s3://b/a", {"AWS_SECRET_ACCESS_KEY": "hidden"}, "^AWS_SECRET_ACCESS_KEY of a store: .* in the environment$"),
        ("az://b/a", {"SAS_KEY": "hidden"}, "^SAS_KEY of a store"),
        ("az://b/a", {"connection_string": "hidden"}, "^connection_string of a store"),
        ("az://b/a", {"endpoint": "AccountName=a;AccountKey=hidden;"}, "^endpoint of a store"),
        ("s3://b/a", {"proxy_url": "http://me:hidden@proxy"}, "^proxy_url of a store"),
        ("sftp://me:hidden@host/a", {}, "^url of a store"),
        ("https://host/a?X-Amz-Signature=hidden", {}, "^url of a store"),
    ],
)
def test_secrets_are_refused_and_not_repeated(url: str, options: dict[str, str], said: str) -> None:
    with pytest.raises(StoreError, match=said) as caught:
        Location(url, options)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "options", "said"),
    [
        ("zzz://bucket/a", {}, "Protocol not known: zzz"),
        ("s3://bucket/a", {"endpnt": "x"}, "'endpnt' is not valid"),
        ("s3://bucket/a", {"timeout": "soon"}, "failed to parse"),
        ("s3://bucket/a", {"max_retries": "often"}, "often"),
        ("az://container/a", {}, "Account must be specified"),
    ],
)
def test_what_no_library_opens_is_refused_with_the_way_out(url: str, options: dict[str, str], said: str) -> None:
    with pytest.raises(StoreError, match=f"^{url}: .*{said}.*; correct url and options of the store$") as caught:
        Location(url, options).open()
    assert "\n" not in str(caught.value)


def test_any_place_of_fsspec_will_do() -> None:
    location = Location("memory://somewhere/a")
    sync(location.open().set("key", CONTENT))
    found = sync(location.open(read_only=True).get("key", default_buffer_prototype()))
    assert found is not None
    assert found.to_bytes() == b"content"


def test_a_place_that_does_not_answer_is_an_error_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    location = Location("s3://bucket/a", {"endpoint": "http://127.0.0.1:9", "region": "x", "max_retries": "0"})
    with pytest.raises(OSError, match=r"^s3://bucket/a: .*HTTP error") as caught:
        sync(location.open().set("key", CONTENT))
    assert "\n" not in str(caught.value)
