"""The door for image files: a few formats of 8 bits a channel, within stated numbers of bytes and pixels."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from warnings import catch_warnings

from PIL import ExifTags, Image, UnidentifiedImageError

from pipeline.machine.files import MIB, UnreadableFile, read_file, refuse_what_a_parser_raises
from srd.errors import DataError

FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF", "PPM")
"""What is decoded, whatever the name of the file: Pillow has others, some of which start programs."""
MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "HSV"})
"""Pillow's modes of at most 8 bits a channel that it converts to colour and to grey."""
MOST_BYTES = 512 * MIB
"""The most bytes of an image file; `MOST_PIXELS` take half of it without compression."""
MOST_PIXELS = 64_000_000
"""The most pixels of an image, as it is stored and when it is resized."""
SMALLER = "store it smaller, or remove it"
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns an image of an EXIF orientation upright; 1 is upright."""


@dataclass(frozen=True)
class UprightImage:
    """The content of an image file."""

    pixels: Image.Image
    """The upright image in RGB; an alpha channel is dropped, as torchvision's loader does."""
    is_invisible: bool
    """Whether the dropped alpha channel is 0 everywhere."""


def read_content(file: Path) -> bytes:
    """Return the bytes of an image file.

    Raises
    ------
    DataError
        If it is no regular file of at most `MOST_BYTES`.
    """
    try:
        return read_file(file, MOST_BYTES)
    except UnreadableFile as error:
        raise DataError(f"{file}: cannot be read as an image: {error}; remove or replace it") from None


def read_picture(file: Path) -> UprightImage:
    """Return the image of a file, as `decode` does."""
    return decode(read_content(file), str(file))


def decode(content: bytes, place: str) -> UprightImage:
    """Return the image that a file holds; `place` begins the message of a refusal.

    Raises
    ------
    DataError
        If it is of no format of `FORMATS` or mode of `MODES`, damaged, or of more than `MOST_PIXELS`.
    """
    with _open_image(content, place) as image:
        return turn_upright(image, place)


def turn_upright(image: Image.Image, place: str) -> UprightImage:
    """Return an opened image upright and in RGB; `place` begins the message of a refusal.

    Raises
    ------
    DataError
        If it is of no mode of `MODES`, or of more than `MOST_PIXELS`.
    """
    _refuse_pixels(place, image.size)
    if image.mode not in MODES:
        raise DataError(
            f"{place}: has pixels of mode {image.mode}, not 8 bits a channel; "
            "save it as RGB or grey of 8 bits, scaled from the range that its values have"
        )
    pixels = image.convert("RGB")
    turn = _turn(image)
    return UprightImage(pixels if turn is None else pixels.transpose(turn), _is_invisible(image))


@contextmanager
def _open_image(content: bytes, file: str) -> Iterator[Image.Image]:
    """Open an image whose pixels are decoded within the context; Pillow's warnings are no news to the user."""
    place, way_out = f"{file}: cannot be read as an image", "remove or replace it"
    with catch_warnings(action="ignore"), refuse_what_a_parser_raises(DataError, place, way_out):
        try:
            image = Image.open(BytesIO(content), formats=FORMATS)
        except UnidentifiedImageError:
            raise DataError(f"{place}: its content is none of {', '.join(FORMATS)}; {way_out}") from None
        except Image.DecompressionBombError as error:
            raise DataError(f"{file}: has more than {MOST_PIXELS} pixels ({error}); {SMALLER}") from None
        with image:
            yield image


def _turn(image: Image.Image) -> Image.Transpose | None:
    """Return what turns an image upright, by its EXIF orientation; metadata that cannot be read have none."""
    with suppress(Exception):  # damaged metadata may make Pillow raise anything
        return UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return None


def _is_invisible(image: Image.Image) -> bool:
    return image.has_transparency_data and not image.convert("RGBA").getchannel("A").getbbox()


def _refuse_pixels(file: str, size: tuple[int, int]) -> None:
    width, height = size
    if not 0 < width * height <= MOST_PIXELS:
        raise DataError(f"{file}: is {width}x{height}, not of 1 to {MOST_PIXELS} pixels; {SMALLER}")
