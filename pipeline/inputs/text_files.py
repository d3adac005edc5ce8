"""Lists that people write: of classes, of images."""

from pathlib import Path

from pipeline.inputs.image_listing import RELATIVE
from pipeline.machine.files import TEXT, UnreadableFile, read_file
from pipeline.machine.names import blame_text
from srd.errors import DataError


def read_text(file: Path, place: str) -> str:
    """Return the text of a file, which is UTF-8 whatever the locale, without the mark that some programs begin it with.

    Raises
    ------
    DataError
        With `place`, if the file cannot be read, or is no such text.
    """
    try:
        return read_file(file, TEXT).decode("utf-8-sig")
    except UnreadableFile as error:
        raise DataError(f"{place}: {error}; {RELATIVE}") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{place}: {blame_text(error)}") from None
