"""Laws of a location: it says where, travels to workers, holds no secret, and is to blame for its own faults."""

import pickle
from pathlib import Path

import pytest
from command_line import Command
from s3_server import CREDENTIALS
from small_audits import write_audit
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync
from zarr.storage import LocalStore

from pipeline.store.credentials import credentials_in_words
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


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://bucket/a?versionId=3", r"\?versionId=3 is no part of a store's address"),
        ("s3://bucket/a?", r"is no part of a store's address"),
        ("s3://bucket/run#3", "#3 is no part of a store's address; write %23"),
        ("gs://bucket/a#b", "#b is no part"),
        ("az://container/a?b=c", "is no part"),
        ("https://host/a?b=c", "is no part"),
        ("s3:///a", "names no bucket"),
        ("s3://", "names no bucket"),
        (
            "s3://bucket:9000/a",
            "`@` and `:` belong to no bucket; .* the endpoint as options.endpoint",
        ),
        ("s3://me@bucket/a", "belong to no bucket"),
        ("az://account@container/a", "belong to no bucket"),
        ("s3://bucket/a//b", "an empty part"),
        ("s3://bucket/a/../b", "leads to another place"),
        ("s3://bucket/./b", "leads to another place"),
        ("s3://bucket/a/%2e%2e/b", "leads to another place"),
        ("s3://bucket/a%2F/b", "an empty part"),
        ("s3:/bucket/a", "write s3://bucket/path"),
        ("S3:bucket/a", "write s3://bucket/path"),
        ("http:/host/a", "write http://bucket/path"),
        ("file://server/share/a", "server is another machine"),
        ("file:///a/run#3", "#3 is no part"),
        ("file:///a/run?3", "is no part"),
    ],
)
def test_a_part_that_would_be_dropped_is_refused(url: str, said: str) -> None:
    with pytest.raises(StoreError, match=said) as caught:
        Location(url)
    assert str(caught.value).startswith(f"{url}: ")


@pytest.mark.parametrize(
    "url",
    [
        "s3://bucket/a%23b/",
        "s3://bucket",
        "https://host:9000/bucket/a",
        "abfss://container@account.dfs.core.windows.net/a",
        "memory://a?b",
        "/a/run#3?x",
        "./s3:/a",
        "file:///a/run%233",
        "file://localhost/a",
    ],
)
def test_what_belongs_to_an_address_is_kept(url: str) -> None:
    Location(url)


KEYS = {"AWS_ACCESS_KEY_ID": "user", "AWS_SECRET_ACCESS_KEY": "secret"}


@pytest.mark.parametrize(
    ("url", "options", "environment", "is_told"),
    [
        ("s3://bucket/a", {}, {}, True),
        ("s3://bucket/a", {}, {"AWS_PROFILE": "mine"}, True),
        ("gs://bucket/a", {}, KEYS, True),
        ("az://container/a", {}, {"AZURE_CLIENT_ID": "me"}, True),
        ("s3://bucket/a", {}, KEYS, False),
        ("s3://bucket/a", {}, {"AWS_WEB_IDENTITY_TOKEN_FILE": "/token"}, False),
        ("s3://bucket/a", {"skip_signature": "true"}, {}, False),
        ("s3://bucket/a", {"skip_signature": "false"}, {}, True),
        ("s3://bucket/a", {}, {"AWS_SKIP_SIGNATURE": "true"}, False),
        ("az://container/a", {}, {"AZURE_CLIENT_ID": "me", "AZURE_CLIENT_SECRET": "x"}, False),
        ("/a", {}, {}, False),
        ("memory://a", {}, {}, False),
    ],
)
def test_it_is_told_if_credentials_are_asked_of_a_service_that_may_not_answer(
    url: str, options: dict[str, str], environment: dict[str, str], is_told: bool
) -> None:
    text = credentials_in_words(Location(url, options), environment)
    assert (text is not None) is is_told
    if text:
        assert text.startswith(f"{url}: none of ")
        assert "the metadata service" in text
        assert "secret" not in text.replace("AZURE_CLIENT_SECRET", "")


def test_a_command_tells_it_before_any_request(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    spec = write_audit(tmp_path / "audit")
    spec.write_text(
        '[store]\nurl = "s3://bucket/a"\noptions.region = "x"\n' + spec.read_text(encoding="utf-8"), "utf-8"
    )
    monkeypatch.setattr(Location, "open", stop)
    for word in ("run", "verify"):
        assert "the metadata service of a cloud's machine" in command(word, spec).err
    folder = spec.parent / "runs" / "small"
    folder.mkdir(parents=True)
    (folder / "audit.toml").write_bytes(spec.read_bytes())
    assert "the metadata service of a cloud's machine" in command("status", folder).err


def stop(*_: object, **__: object) -> None:
    raise OSError("no request")
