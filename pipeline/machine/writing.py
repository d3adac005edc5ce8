"""The door to folders that may be somebody else's: nothing is written, appended to or removed through a link."""

import errno
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from stat import S_ISREG

from srd.errors import StoreError

File = tuple[str, bytes]
"""A file to write: its path, relative to a folder and with `/` between its parts, and its content."""
LONGEST = 255  # bytes of a name, on all common file systems
SHOWN = 80  # characters of a name in a message
NO_FOLDER = frozenset({errno.ELOOP, errno.ENOTDIR})
WAY_OUT = "remove it, or name the folder itself"
RENAME = "use a store that this program has made"
APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK


def write_files(folder: Path, files: Iterable[File]) -> None:
    """Write files below a folder, which is made if it is missing. Each is whole or as it was, at any moment.

    Raises
    ------
    StoreError
        If a name stands twice, leads out of the folder, or cannot be that of a file; if the folder, one below it, or
        a file is a link, or else no folder or no regular file.
    OSError
        If the disk fails.
    """
    written: set[str] = set()
    for name, content in files:
        if name in written:
            raise StoreError(f"{folder}: two files are to be called {name!r}; rename one of what they show")
        written.add(name)
        with _open_parent(folder, name, make=True) as (parent, last):
            _refuse_irregular(parent, last, folder / name)
            _replace(parent, last, content)


def append_line(folder: Path, name: str, line: str) -> None:
    """Append a line to a file below a folder, in one write: several processes may append at the same time.

    Raises
    ------
    StoreError, OSError
        As `write_files` does.
    """
    with _open_parent(folder, name, make=True) as (parent, last):
        _refuse_irregular(parent, last, folder / name)
        descriptor = os.open(last, APPEND, 0o666, dir_fd=parent)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)


def remove_folders(folder: Path, names: Iterable[str]) -> None:
    """Remove folders below a folder, with all that they hold, where they are there.

    Raises
    ------
    StoreError, OSError
        As `write_files` does.
    """
    for name in names:
        with suppress(FileNotFoundError), _open_parent(folder, name, make=False) as (parent, last):
            os.close(_open_folder(last, parent, folder / name))
            shutil.rmtree(last, dir_fd=parent)


def remove_file(folder: Path, name: str) -> None:
    """Remove a file below a folder, where it is there. Of a link, the link itself is removed.

    Raises
    ------
    StoreError, OSError
        As `write_files` does.
    """
    with suppress(FileNotFoundError), _open_parent(folder, name, make=False) as (parent, last):
        os.unlink(last, dir_fd=parent)


@contextmanager
def _open_parent(folder: Path, name: str, make: bool) -> Iterator[tuple[int, str]]:
    """Open the folder that holds a file, part by part from `folder` on. Yield its descriptor and the file's own name.

    Each part is opened within the one before, so that no link can take its place between a check and its use.
    """
    *parts, last = _parts(folder, name)
    if make:
        folder.mkdir(parents=True, exist_ok=True)
    opened, place = _open_folder(os.fspath(folder), None, folder), folder
    try:
        for part in parts:
            place = place / part
            if make:
                with suppress(FileExistsError):
                    os.mkdir(part, dir_fd=opened)
            within, opened = opened, _open_folder(part, opened, place)
            os.close(within)
        yield opened, last
    except OSError as error:
        if error.filename is None:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(folder / name)) from error  # a draft's name says nothing
    finally:
        os.close(opened)


def _open_folder(name: str, parent: int | None, place: Path) -> int:
    try:
        return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    except OSError as error:
        if error.errno not in NO_FOLDER:
            raise
        raise StoreError(f"{place}: is a link or a file, not a folder; {WAY_OUT}") from None


def _refuse_irregular(parent: int, name: str, place: Path) -> None:
    with suppress(FileNotFoundError):
        if not S_ISREG(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            raise StoreError(f"{place}: is a link, a folder or a device, not a file; {WAY_OUT}")


def _replace(parent: int, name: str, content: bytes) -> None:
    """Write a file under another name, then give it its own."""
    draft = f".{token_hex(8)}.partial"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666, dir_fd=parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.replace(draft, name, src_dir_fd=parent, dst_dir_fd=parent)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(draft, dir_fd=parent)
        raise


def _parts(folder: Path, name: str) -> list[str]:
    parts = name.split("/")
    for part in parts:
        if part in {"", ".", ".."}:
            raise StoreError(f"{folder}: {name[:SHOWN]!r} leads out of the folder; {RENAME}")
        if not part.isprintable():
            raise StoreError(f"{folder}: {name[:SHOWN]!r} holds characters that no name of a file has; {RENAME}")
        if len(os.fsencode(part)) > LONGEST:
            raise StoreError(f"{folder}: {name[:SHOWN]!r}... is longer than {LONGEST} bytes; {RENAME}")
    return parts
