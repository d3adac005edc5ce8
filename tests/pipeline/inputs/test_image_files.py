"""Laws of the door for image files: named formats, a bounded number of bytes and pixels, and no program is started."""

import os
import re
import subprocess
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from struct import pack
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin, TiffImagePlugin

from pipeline.inputs.image_files import (
    FORMATS,
    MODES,
    MOST_BYTES,
    MOST_PIXELS,
    UprightImage,
    read_content,
    read_picture,
)
from pipeline.inputs.image_listing import SUFFIXES, SYSTEM
from srd.errors import DataError

Turn = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n{} loop\n%%EOF\n"
PSD = b"8BPS" + pack(">H6xHIIHH", 1, 3, 4, 4, 8, 3) + pack(">III", 0, 0, 0) + bytes(2 + 3 * 16)


def encoded(kind: str, mode: str = "RGB", size: tuple[int, int] = (16, 12), **options: Any) -> bytes:
    file = BytesIO()
    Image.new(mode, size).save(file, kind, **options)
    return file.getvalue()


def written(folder: Path, content: bytes, name: str = "x.png") -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def refused(file: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_picture(file)
    message = str(caught.value)
    assert message.startswith(f"{file}: ")
    assert " at 0x" not in message, "an address differs from run to run"
    return message


@pytest.fixture(autouse=True)
def no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("a program was started")

    monkeypatch.setattr(subprocess, "Popen", fail)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("name", ["x.png", "x.jpg"])
def test_formats_are_told_by_content_not_by_name(tmp_path: Path, kind: str, name: str) -> None:
    assert read_picture(written(tmp_path, encoded(kind), name)).pixels.size == (16, 12)


@pytest.mark.parametrize(
    "content",
    [
        POSTSCRIPT,
        PSD,
        *(encoded(kind) for kind in ("GIF", "ICO", "TGA", "PCX", "SGI", "DDS", "ICNS", "JPEG2000", "PDF")),
        b"",
        b"no picture",
        b"\0" * 4096,
    ],
    ids="PostScript PSD GIF ICO TGA PCX SGI DDS ICNS JPEG2000 PDF empty text zeros".split(),
)
def test_other_formats_are_refused_and_start_no_program(tmp_path: Path, content: bytes) -> None:
    message = refused(written(tmp_path, content))
    assert "cannot be read as an image: its content is none of PNG, JPEG, " in message
    assert message.endswith("; remove or replace it")


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_truncated_image_is_refused(tmp_path: Path, kind: str, share: float) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    file = BytesIO()
    noise.save(file, kind)
    content = file.getvalue()
    assert "remove or replace it" in refused(written(tmp_path, content[: int(share * len(content))]))


@pytest.mark.parametrize("place", ["pipe.png", "/dev/zero", "folder.png", "missing.png", "loop.png"])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, place: str) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "loop.png").symlink_to("loop.png")
    assert "cannot be read as an image: " in refused(tmp_path / place)


def test_a_file_that_is_too_large_is_refused_unread(tmp_path: Path) -> None:
    file = written(tmp_path, encoded("PNG"))
    with file.open("r+b") as sparse:
        sparse.truncate(MOST_BYTES + 1)
    assert f"holds {MOST_BYTES + 1} bytes" in refused(file)
    with pytest.raises(DataError, match=f"more than the {MOST_BYTES}"):
        read_content(file)


def png_header(width: int, height: int) -> bytes:
    header = b"IHDR" + pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"")
    chunks = (pack(">I", len(chunk) - 4) + chunk + pack(">I", zlib.crc32(chunk)) for chunk in (header, data, b"IEND"))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def bmp_header(width: int, height: int) -> bytes:
    content = bytearray(encoded("BMP"))
    content[18:26] = pack("<ii", width, height)
    return bytes(content)


def ppm_header(width: int, height: int) -> bytes:
    return f"P6 {width} {height} 255\n".encode()


@pytest.mark.parametrize("header", [png_header, bmp_header, ppm_header])
@pytest.mark.parametrize("size", [(8001, 8000), (9_000, 10_000), (13_000, 13_000), (60_000, 60_000), (64_000_001, 1)])
def test_too_many_pixels_are_refused_from_the_header(tmp_path: Path, header: Any, size: tuple[int, int]) -> None:
    message = refused(written(tmp_path, header(*size)))
    assert f"{MOST_PIXELS} pixels" in message
    assert message.endswith("; store it smaller, or remove it")
    assert Image.MAX_IMAGE_PIXELS == 89_478_485, "Pillow's own bound is left as it is"


def test_the_pixels_that_are_allowed_are_decoded(tmp_path: Path) -> None:
    assert "truncated" in refused(written(tmp_path, ppm_header(8000, 8000)))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"])
def test_eight_bits_a_channel_are_converted(tmp_path: Path, mode: str) -> None:
    content = encoded("PNG" if mode in {"LA", "P", "RGBA"} else "TIFF", mode)
    assert read_picture(written(tmp_path, content)).pixels.mode == "RGB"


@pytest.mark.parametrize("mode", sorted(MODES))
def test_pillow_converts_all_modes_that_are_let_in(mode: str) -> None:
    assert Image.new(mode, (2, 2)).convert("RGB").mode == "RGB"


@pytest.mark.parametrize(
    ("kind", "mode"), [("TIFF", "LAB"), ("TIFF", "I"), ("TIFF", "F"), ("TIFF", "I;16"), ("PNG", "I;16")]
)
def test_other_modes_are_refused_by_name(tmp_path: Path, kind: str, mode: str) -> None:
    message = refused(written(tmp_path, encoded(kind, mode)))
    assert f"has pixels of mode {mode}, not 8 bits a channel; save it as RGB or grey of 8 bits" in message


def odd_tags() -> TiffImagePlugin.ImageFileDirectory_v2:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[270] = "x" * 1_000_000
    return tags


def text_chunk(key: str, value: str) -> PngImagePlugin.PngInfo:
    chunk = PngImagePlugin.PngInfo()
    chunk.add_text(key, value)
    return chunk


@pytest.mark.parametrize(
    "content",
    [
        encoded("JPEG", exif=b"Exif\0\0" + b"\xff" * 60_000),
        encoded("JPEG", icc_profile=b"\xff" * 1_000_000),
        encoded("PNG", icc_profile=b"\xff" * 100_000),
        encoded("PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"),
        encoded("PNG", pnginfo=text_chunk("Comment", "\0\x1b[31m" * 1000)),
        encoded("WEBP", exif=b"Exif\0\0" + b"\xff" * 100_000, icc_profile=b"\0" * 9, xmp=b"<" * 100_000),
        encoded("TIFF", tiffinfo=odd_tags()),
        encoded("PNG", "P", transparency=b"\0\1\2"),
    ],
    ids="exif icc png-icc png-exif text webp tags transparency".split(),
)
def test_odd_metadata_does_not_matter(tmp_path: Path, content: bytes) -> None:
    assert read_picture(written(tmp_path, content)).pixels.size == (16, 12)


def test_metadata_without_bound_are_refused(tmp_path: Path) -> None:
    chunk = b"zTXt" + b"Comment\0\0" + zlib.compress(bytes(50 * 2**20))
    content = encoded("PNG")
    bomb = pack(">I", len(chunk) - 4) + chunk + pack(">I", zlib.crc32(chunk))
    assert "cannot be read as an image: ValueError" in refused(written(tmp_path, content[:33] + bomb + content[33:]))


STORED: dict[int, Turn] = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: upright[::-1, ::-1].swapaxes(0, 1),
    8: lambda upright: np.rot90(upright, -1),
}
"""How a camera stores an upright image, by the orientation that it writes beside it."""
LOSSLESS: dict[str, dict[str, Any]] = {"PNG": {}, "TIFF": {}, "WEBP": {"lossless": True}}


def oriented(kind: str, upright: NDArray[np.uint8], orientation: object) -> bytes:
    exif, file = Image.Exif(), BytesIO()
    exif[0x0112] = orientation
    stored = STORED.get(orientation, STORED[1])(upright) if isinstance(orientation, int) else upright
    Image.fromarray(np.ascontiguousarray(stored)).save(file, kind, exif=exif, **LOSSLESS.get(kind, {}))
    return file.getvalue()


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", LOSSLESS)
@pytest.mark.parametrize("shape", [(7, 5, 3), (5, 7, 3), (6, 6, 3)])
def test_images_are_read_upright(tmp_path: Path, kind: str, orientation: int, shape: tuple[int, ...]) -> None:
    upright = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    picture = read_picture(written(tmp_path, oriented(kind, upright, orientation)))
    assert (np.asarray(picture.pixels) == upright).all()


@pytest.mark.parametrize("orientation", STORED)
def test_a_photo_is_read_upright(tmp_path: Path, orientation: int) -> None:
    upright = np.zeros((32, 64, 3), np.uint8)
    upright[:16, :16] = 255
    pixels = np.asarray(read_picture(written(tmp_path, oriented("JPEG", upright, orientation))).pixels)
    assert pixels.shape == upright.shape
    assert abs(pixels.astype(int) - upright).max() < 16


@pytest.mark.parametrize("orientation", [0, 9, 65535])
@pytest.mark.parametrize("kind", LOSSLESS)
def test_an_orientation_that_there_is_not_turns_nothing(tmp_path: Path, kind: str, orientation: int) -> None:
    upright = np.random.default_rng(0).integers(0, 256, (7, 5, 3), np.uint8)
    picture = read_picture(written(tmp_path, oriented(kind, upright, orientation)))
    assert (np.asarray(picture.pixels) == upright).all()


PIXELS: dict[str, tuple[Any, tuple[int, int, int]]] = {
    "1": (1, (255, 255, 255)),
    "L": (7, (7, 7, 7)),
    "LA": ((7, 99), (7, 7, 7)),
    "RGB": ((1, 2, 3), (1, 2, 3)),
    "RGBA": ((1, 2, 3, 99), (1, 2, 3)),
    "CMYK": ((0, 51, 255, 0), (255, 204, 0)),
    "P": (1, (10, 20, 30)),
}


@pytest.mark.parametrize("mode", PIXELS)
def test_every_kind_of_pixel_becomes_colour_as_stated(tmp_path: Path, mode: str) -> None:
    value, colour = PIXELS[mode]
    image, file = Image.new(mode, (3, 2), value), BytesIO()
    if mode == "P":
        image.putpalette([0, 0, 0, 10, 20, 30])
    image.save(file, "TIFF" if mode == "CMYK" else "PNG")
    assert set(read_picture(written(tmp_path, file.getvalue())).pixels.get_flattened_data()) == {colour}


def test_of_sixteen_bits_of_colour_the_upper_eight_are_seen(tmp_path: Path) -> None:
    content = b"P6 2 1 65535\n" + pack(">6H", 0, 257, 1023, 32768, 65280, 65535)
    assert np.asarray(read_picture(written(tmp_path, content)).pixels).tolist()[0][1] == [128, 254, 255]


def translucent(mode: str, alpha: int) -> bytes:
    if mode == "P":
        return encoded("PNG", "P", transparency=bytes([alpha]))
    file, colour = BytesIO(), {"LA": (9, alpha), "RGBA": (9, 9, 9, alpha)}[mode]
    Image.new(mode, (16, 12), colour).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("mode", ["LA", "RGBA", "P"])
def test_only_an_image_without_any_visible_pixel_is_invisible(tmp_path: Path, mode: str) -> None:
    def read(alpha: int) -> UprightImage:
        return read_picture(written(tmp_path, translucent(mode, alpha)))

    assert [read(alpha).is_invisible for alpha in (0, 1, 255)] == [True, False, False]
    assert not read_picture(written(tmp_path, encoded("PNG"))).is_invisible


def table_rows(heading: str) -> list[list[str]]:
    text = (Path(__file__).parents[3] / "docs" / "data.md").read_text()
    lines = text[text.index(heading) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_tables_of_the_documentation_are_those_of_the_code() -> None:
    rows = table_rows("| the file holds |")
    modes = {
        is_refused: set(
            re.findall(r"`([\w;]+)`", " ".join(row[1] for row in rows if ("refused" in row[2]) is is_refused))
        )
        for is_refused in (False, True)
    }
    assert modes[False] == MODES
    assert not modes[True] & MODES
    (suffixes, formats), _, _, (system, _), _ = table_rows("| file |")
    assert set(re.findall(r"`(\.\w+)`", suffixes)) == SUFFIXES
    assert set(re.findall(r"[A-Z]{3,}", formats)) == set(FORMATS)
    assert {name.lower() for name in re.findall(r"`([\w.]+)`", system)} == SYSTEM
