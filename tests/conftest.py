"""One torch thread and one seed for every test, and the command line.

Threads that wait for each other cost more than these tensors. Networks whose weights a test does not set draw them from
torch's own generator, and must be the same whichever tests ran before.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from command_line import Command, CommandEnd
from s3_server import CREDENTIALS, Bucket, S3Server

from reports.cli import main


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-docs", action="store_true", help="write docs/faults.md and docs/edits.md from what this run sees"
    )


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture(autouse=True)
def one_seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """Return a function that runs the command line in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> CommandEnd:
        monkeypatch.setattr(sys, "argv", ["srd-audit", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        return CommandEnd(int(stop.value.code or 0), *capsys.readouterr())

    return call


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """Start one server for all tests, each of which needs only a bucket of its own."""
    with S3Server() as server:
        yield server


@pytest.fixture
def bucket(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """Make an empty bucket, which this process and those that it starts may use."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    yield s3_server.bucket()
    s3_server.answer = None
