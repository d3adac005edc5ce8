"""A guard for code that reads what others wrote: it sees each forbidden act, and prevents it where it can."""

import os
import resource
import signal
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import psutil

GIB = 2**30
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
PROCESSES = frozenset(
    "os.exec os.fork os.forkpty os.posix_spawn os.spawn os.startfile os.system pty.spawn subprocess.Popen".split()
)
LOOKUPS = frozenset("socket.getaddrinfo socket.gethostbyname".split())
ADDRESSES = LOOKUPS | frozenset("socket.bind socket.connect socket.sendto".split())
PATHS: Mapping[str, Sequence[tuple[int, int | None]]] = {
    "os.chflags": [(0, None)],
    "os.chmod": [(0, 2)],
    "os.chown": [(0, 3)],
    "os.link": [(1, 3)],
    "os.mkdir": [(0, 2)],
    "os.remove": [(0, 1)],
    "os.rename": [(0, 2), (1, 3)],
    "os.rmdir": [(0, 1)],
    "os.symlink": [(1, 2)],
    "os.truncate": [(0, None)],
    "os.utime": [(0, 3)],
}
"""Events that change a file system: the positions of each path, and of the descriptor that it is relative to."""
HARMLESS = frozenset({Path("/dev/null"), Path("/dev/tty")})


class Breach(BaseException):
    """A forbidden act. No `except Exception` of the code that is guarded takes it."""


class Guard:
    """A context in which code may change files only below some folders, and may start and reach nothing.

    Each act that is seen is kept in `breaches`, and the end of the context raises the first one, whatever became of
    its error. An `open` does not say what a relative path starts at: such files, and those that libraries in C open,
    are seen by what changes in the `watched` folders.
    """

    def __init__(
        self, allowed: Sequence[Path], watched: Sequence[Path] = (), seconds: float = 10, memory: int = 2 * GIB
    ) -> None:
        self._allowed = [path.resolve() for path in allowed]
        self._watched, self._seconds, self._memory = watched, seconds, memory
        self.breaches: list[str] = []

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Watch what is done until the context ends.

        Raises
        ------
        Breach
            For the first forbidden act.
        """
        before = self._state()
        try:
            with _listening(self), self._limited_memory(), self._limited_time():
                yield
        finally:
            self._note_changes(before)
            if self.breaches:
                raise Breach(self.breaches[0])

    def see(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Keep and prevent a forbidden act."""
        if event in PROCESSES or self._is_forbidden(event, arguments):
            act = f"{event}{arguments!r:.300}"
            self.breaches.append(act)
            raise Breach(act)

    def _is_forbidden(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event in ADDRESSES:
            return not _is_local(event, arguments)
        if event == "open":
            path, _, flags = arguments
            return isinstance(flags, int) and bool(flags & WRITING) and self._is_outside(path, None)
        return any(self._is_outside(arguments[at], _descriptor(arguments, fd)) for at, fd in PATHS.get(event, ()))

    def _is_outside(self, path: Any, descriptor: int | None) -> bool:
        if isinstance(path, int) or (descriptor is None and not Path(os.fsdecode(path)).is_absolute()):
            return False
        home = Path("/") if descriptor is None else Path(f"/proc/self/fd/{descriptor}").readlink()
        whole = home / os.fsdecode(path)
        real = whole.parent.resolve() / whole.name  # what is done to a link itself
        return real not in HARMLESS and not any(real.is_relative_to(folder) for folder in self._allowed)

    @contextmanager
    def _limited_memory(self) -> Iterator[None]:
        process = psutil.Process()
        before, limits = process.memory_info(), resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (before.vms + self._memory, limits[1]))
        try:
            yield
        except MemoryError:
            self.breaches.append(f"memory: more than {self._memory} bytes")
        finally:
            resource.setrlimit(resource.RLIMIT_AS, limits)
        if process.memory_info().rss > before.rss + self._memory:
            self.breaches.append(f"memory: {process.memory_info().rss - before.rss} bytes")

    @contextmanager
    def _limited_time(self) -> Iterator[None]:
        def stop(*_: Any) -> None:
            self.breaches.append(f"time: more than {self._seconds} seconds")
            release_pipes(self._allowed)
            raise Breach(self.breaches[-1])

        before = signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, self._seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def _note_changes(self, before: Mapping[str, tuple[int, ...]]) -> None:
        after = self._state()
        if after != before:
            self.breaches.append(f"changed: {sorted(dict(after.items() ^ before.items()))}")

    def _state(self) -> dict[str, tuple[int, ...]]:
        return {
            str(path): (status.st_mode, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            for folder in self._watched
            for path in (folder, *folder.rglob("*"))
            for status in (path.lstat(),)
        }


def release_pipes(folders: Sequence[Path]) -> None:
    """Let threads go on that wait for somebody to write into a pipe."""
    for path in (path for folder in folders for path in folder.rglob("*")):
        if stat.S_ISFIFO(path.lstat().st_mode):
            descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
            path.unlink()
            os.close(descriptor)


def _descriptor(arguments: tuple[Any, ...], position: int | None) -> int | None:
    value = -1 if position is None or position >= len(arguments) else arguments[position]
    return value if isinstance(value, int) and value >= 0 else None


def _is_local(event: str, arguments: tuple[Any, ...]) -> bool:
    """Return whether an address is of this machine alone; those of Unix sockets are no tuples."""
    if event in LOOKUPS:
        return arguments[0] is None or _is_loopback(arguments[0])
    address = arguments[1]
    return not isinstance(address, tuple) or _is_loopback(address[0])


def _is_loopback(host: Any) -> bool:
    try:
        return host in {"localhost", b"localhost"} or ip_address(os.fsdecode(host)).is_loopback
    except ValueError:
        return False


@contextmanager
def _listening(guard: Guard) -> Iterator[None]:
    if not _GUARDS:
        sys.addaudithook(_hear)
        _GUARDS.append(None)
    _GUARDS.append(guard)
    try:
        yield
    finally:
        _GUARDS.remove(guard)


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    guard = _GUARDS[-1] if _GUARDS else None
    if guard is not None and (event == "open" or event in PATHS or event in PROCESSES or event in ADDRESSES):
        guard.see(event, arguments)


_GUARDS: list[Guard | None] = []
"""The guards whose contexts are open; a hook stays for ever, so there is one."""
