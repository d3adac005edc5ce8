"""The guard sees each forbidden act, also where its error is swallowed, and lets the others pass."""

import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from guard import Breach, Guard

pytestmark = pytest.mark.fuzz

Act = Callable[[Path], object]


def connect(host: str) -> None:
    with socket.socket() as client, suppress(OSError):
        client.connect((host, 9))


def bind(host: str) -> None:
    with socket.socket() as server:
        server.bind((host, 0))


def pair() -> None:
    for each in socket.socketpair():
        each.close()


def in_thread(act: Callable[[], object]) -> None:
    def perform() -> None:
        with suppress(Breach):
            act()

    thread = threading.Thread(target=perform)
    thread.start()
    thread.join()


def relative_to(folder: Path, act: Callable[[int], object]) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        act(descriptor)
    finally:
        os.close(descriptor)


def swallowed(act: Callable[[], object]) -> None:
    with suppress(BaseException):
        act()


FORBIDDEN: Mapping[str, Act] = {
    "write": lambda out: (out / "new").write_text("a", encoding="utf-8"),
    "append": lambda out: (out / "there").open("a", encoding="utf-8").close(),
    "open to write": lambda out: os.open(out / "new", os.O_WRONLY | os.O_CREAT),
    "write through a link": lambda out: (out.parent / "in" / "link" / "new").write_text("a", encoding="utf-8"),
    "write relative to a folder": lambda out: relative_to(
        out, lambda fd: os.close(os.open("new", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    ),
    "remove": lambda out: (out / "there").unlink(),
    "remove relative to a folder": lambda out: relative_to(out, lambda fd: os.unlink("there", dir_fd=fd)),
    "rename from": lambda out: (out / "there").rename(out.parent / "in" / "there"),
    "rename to": lambda out: (out.parent / "in" / "file").rename(out / "new"),
    "mkdir": lambda out: (out / "new").mkdir(),
    "rmdir": lambda out: (out / "folder").rmdir(),
    "symlink": lambda out: (out / "new").symlink_to("there"),
    "link": lambda out: (out / "new").hardlink_to(out / "there"),
    "chmod": lambda out: (out / "there").chmod(0o600),
    "utime": lambda out: os.utime(out / "there", (0, 0)),
    "truncate": lambda out: os.truncate(out / "there", 0),
    "in a thread": lambda out: in_thread(lambda: (out / "new").write_text("a", encoding="utf-8")),
    "with a swallowed error": lambda out: swallowed(lambda: (out / "new").write_text("a", encoding="utf-8")),
    "process": lambda _: subprocess.run(["true"], check=False),
    "spawn": lambda _: os.posix_spawn("/bin/true", ["true"], {}),
    "fork": lambda _: os.fork(),
    "shell": lambda _: os.system("true"),
    "connection": lambda _: connect("192.0.2.1"),
    "lookup": lambda _: socket.getaddrinfo("example.org", 80),
    "open port": lambda _: bind("0.0.0.0"),
    "hang": lambda _: time.sleep(30),
    "hang on a pipe": lambda out: (out.parent / "in" / "pipe").read_bytes(),
    "hang of a thread on a pipe": lambda out: in_thread((out.parent / "in" / "pipe").read_bytes),
    "memory": lambda _: bytearray(3 * 2**30),
}
ALLOWED: Mapping[str, Act] = {
    "read": lambda out: (out / "there").read_text(encoding="utf-8"),
    "write": lambda out: (out.parent / "in" / "new").write_text("a", encoding="utf-8"),
    "rename": lambda out: (out.parent / "in" / "file").rename(out.parent / "in" / "new"),
    "remove a link": lambda out: (out.parent / "in" / "link").unlink(),
    "folder": lambda out: (out.parent / "in" / "new" / "new").mkdir(parents=True),
    "null": lambda _: Path("/dev/null").write_text("a", encoding="utf-8"),
    "loopback": lambda _: connect("127.0.0.1"),
    "port of loopback": lambda _: bind("127.0.0.1"),
    "pair": lambda _: pair(),
    "thread": lambda _: in_thread(lambda: None),
    "memory": lambda _: bytearray(2**20),
}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Return the folder beside the one that may be changed."""
    for name in ("in", "out", "out/folder"):
        (tmp_path / name).mkdir()
    (tmp_path / "out" / "there").touch()
    (tmp_path / "in" / "file").touch()
    (tmp_path / "in" / "link").symlink_to("../out")
    os.mkfifo(tmp_path / "in" / "pipe")
    return tmp_path / "out"


def guard_of(out: Path) -> Guard:
    return Guard([out.parent / "in"], [out], seconds=0.5)


@pytest.mark.parametrize("act", FORBIDDEN)
def test_a_forbidden_act_is_seen(act: str, out: Path) -> None:
    guard = guard_of(out)
    with pytest.raises(Breach), guard.watch():
        FORBIDDEN[act](out)
    assert guard.breaches


@pytest.mark.parametrize("act", ALLOWED)
def test_other_acts_pass(act: str, out: Path) -> None:
    with guard_of(out).watch():
        ALLOWED[act](out)


def test_after_its_context_a_guard_is_blind(out: Path) -> None:
    with guard_of(out).watch():
        pass
    (out / "new").write_text("a", encoding="utf-8")
    subprocess.run(["true"], check=True)


def test_errors_of_the_code_pass(out: Path) -> None:
    with pytest.raises(KeyError), guard_of(out).watch():
        raise KeyError


def test_an_act_is_told_before_the_errors_that_follow_it(out: Path) -> None:
    def remove_and_fail() -> None:
        swallowed((out / "there").unlink)
        raise KeyError

    with pytest.raises(Breach), guard_of(out).watch():
        remove_and_fail()
