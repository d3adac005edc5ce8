"""Images and masks that are files of their own."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.inputs.collection import IGNORED, OBJECT, OTHER, Parts, Picture
from pipeline.inputs.image_files import UprightImage, read_content, read_picture
from pipeline.inputs.image_listing import refuse_bad_path
from srd.errors import DataError


@dataclass(frozen=True)
class ImageFile:
    """An image file, read in colour or in grey."""

    file: Path
    channels: int = 3

    @property
    def place(self) -> str:
        return str(self.file)

    def read(self) -> Picture:
        return as_picture(read_picture(self.file), self.channels)

    def content(self) -> bytes:
        return read_content(self.file)


@dataclass(frozen=True)
class MaskFile:
    """A mask of which every pixel that is not black is the object."""

    file: Path

    @property
    def place(self) -> str:
        return str(self.file)

    def read(self) -> Parts:
        refuse_missing(self.file, "data.masks", "every image needs one, or leave data.masks out")
        coloured = np.asarray(read_picture(self.file).pixels).any(2)
        return np.where(coloured, np.uint8(OBJECT), np.uint8(OTHER))

    def content(self) -> bytes:
        refuse_missing(self.file, "data.masks", "every image needs one, or leave data.masks out")
        return read_content(self.file)


@dataclass(frozen=True)
class NumberedMaskFile:
    """A mask of ImageNet-S: the number of a pixel's class is its red plus 256 times its green."""

    file: Path
    number: int
    """The number of the object's class."""
    ignored: int
    """The number of pixels of which nothing is known."""

    @property
    def place(self) -> str:
        return str(self.file)

    def read(self) -> Parts:
        colours = np.asarray(read_picture(self.file).pixels).astype(np.int32)  # bytes times 256 are 0
        numbers = colours[..., 0] + 256 * colours[..., 1]
        parts = np.full(numbers.shape, OTHER, np.uint8)
        parts[numbers == self.number], parts[numbers == self.ignored] = OBJECT, IGNORED
        return parts

    def content(self) -> bytes:
        return self.number.to_bytes(4, "big") + read_content(self.file)


def image_id(name: str, place: str) -> str:
    """Return the name of an image, which names its random streams and its row in the store.

    Raises
    ------
    DataError
        With `place`, if it is not plain text.
    """
    if not name.isprintable():
        raise DataError(f"{place}: {name!r}: the name is not plain UTF-8 text; rename the file")
    return name


def as_picture(image: UprightImage, channels: int) -> Picture:
    """Return an upright image with 3 channels, or in grey with 1."""
    pixels = image.pixels if channels == 3 else image.pixels.convert("L")
    return Picture(np.atleast_3d(np.asarray(pixels)), image.is_invisible)


def refuse_missing(file: Path, place: str, way_out: str) -> None:
    """Refuse a file that is not there.

    Raises
    ------
    DataError
        With `place` and the way out.
    """
    with refuse_bad_path(f"{place}: {file}"):
        is_there = file.exists()
    if not is_there:
        raise DataError(f"{place}: {file} is missing; {way_out}")
