"""What may lie where a file is expected."""

import os
import shutil
import socket
from collections.abc import Callable, Mapping
from pathlib import Path


def clear(path: Path) -> Path:
    """Remove whatever lies there, and return the path."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    return path


def _link_to(target: str) -> Callable[[Path], object]:
    return lambda file: file.symlink_to(target)


def _huge(file: Path) -> None:
    with file.open("wb") as hole:
        hole.truncate(2**40)


def _socket(file: Path) -> None:
    here = Path.cwd()
    os.chdir(file.parent)  # the name of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(file.name)
    finally:
        os.chdir(here)


KINDS: Mapping[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "folder": Path.mkdir,
    "socket": _socket,
    "huge and sparse": _huge,
    "link to nothing": _link_to("nothing"),
    "link to itself": lambda file: file.symlink_to(file.name),
    "link to an endless device": _link_to("/dev/zero"),
    "link to a silent device": _link_to("/dev/tty"),
    "link to another's file": _link_to("/etc/hostname"),
    "link to the memory of a process": _link_to("/proc/self/mem"),
    "link to the environment of a process": _link_to("/proc/self/environ"),
    "missing": lambda file: None,
}
