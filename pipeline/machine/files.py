"""The door for files of others: a bounded read of a regular file, and what parsers raise as one kind of error."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from stat import S_ISREG
from textwrap import shorten

from srd.errors import InputError

MIB = 2**20
TEXT = 64 * MIB
"""The most bytes of a file of text that people write: a spec, a class list, a log."""
LONG = 400  # characters of a parser's message; torch lists every parameter
OF_THE_PATH = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO}
)
"""The errors that another path mends; all others are those of the disk."""
OF_THE_CONTENT = frozenset({None, errno.EINVAL})
"""The numbers of the errors of a parser that a file has sent to where it has no content: before its beginning."""


class UnreadableFile(ValueError):
    """A path that is no regular file of the allowed size; the message says what it is."""


def read_file(path: Path, most: int) -> bytes:
    """Return the content of a regular file, and never wait for one that has no end.

    Raises
    ------
    UnreadableFile
        As `open_file` does.
    OSError
        If the disk fails.
    """
    with open_file(path, most) as file:
        return file.read(most)


@contextmanager
def open_file(path: Path, most: int) -> Iterator[BufferedReader]:
    """Open a regular file until the context ends, and never wait for one that has no end.

    Raises
    ------
    UnreadableFile
        If there is no such file, if it may not be read, if it is a pipe, a device or a folder, or if it holds more
        than `most` bytes.
    OSError
        If the disk fails.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except ValueError:
        raise UnreadableFile("a path cannot hold a zero byte or half a character") from None
    except OSError as error:
        if error.errno not in OF_THE_PATH:
            raise
        raise UnreadableFile(str(error.strerror)) from None
    try:
        _refuse_what_has_no_end(descriptor, most)
        with open(descriptor, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(descriptor)


@contextmanager
def refuse_what_a_parser_raises(kind: type[InputError], place: str, way_out: str) -> Iterator[None]:
    """Turn whatever a parser of others raises within the context into one refusal; refusals pass as they are.

    Parameters
    ----------
    kind
        The class of the refusal.
    place, way_out
        The beginning and the end of its message.

    Raises
    ------
    InputError
        Of class `kind`, for any error of the content.
    OSError
        If the disk fails.
    """
    try:
        yield
    except (InputError, MemoryError):
        raise
    except Exception as error:  # a damaged file may make a parser raise anything
        if isinstance(error, OSError) and error.errno not in OF_THE_CONTENT:
            raise
        text = _printable(shorten(f"{type(error).__name__}: {error}", LONG))
        raise kind(f"{place}: {text}; {way_out}") from error


def _printable(text: str) -> str:
    """Return a text with its control characters as Python writes them: parsers quote what they do not know."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def _refuse_what_has_no_end(descriptor: int, most: int) -> None:
    status = os.fstat(descriptor)
    if not S_ISREG(status.st_mode):
        raise UnreadableFile("is a folder, a pipe or a device, not a file")
    if status.st_size > most:
        raise UnreadableFile(f"holds {status.st_size} bytes, more than the {most} that are read")
    if not status.st_size and _holds_something(descriptor):
        raise UnreadableFile("is made by the kernel while it is read, not a file of a disk")


def _holds_something(descriptor: int) -> bool:
    """Return whether there is anything to read, be it with an error: no disk has an empty file that cannot be read."""
    try:
        return bool(os.pread(descriptor, 1, 0))
    except OSError:
        return True
