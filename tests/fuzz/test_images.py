"""Images, masks and class lists: whatever bytes, kinds of file or names lie there are read, or refused by name."""

import struct
import zlib
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from byte_edits import Edited, edited_bytes
from file_kinds import KINDS, clear
from fuzzing import count, examples, refuse_or_return
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from small_audits import write_png

from pipeline.inputs.data import load_data
from pipeline.spec.data import DataSpec
from pipeline.spec.model import ModelSpec

pytestmark = pytest.mark.fuzz

SIZE = 12
RANDOM = np.random.default_rng(1)
RGB = Image.fromarray(RANDOM.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8))
MODES: Mapping[str, tuple[str, ...]] = {
    "png": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "jpeg": ("L", "RGB", "CMYK"),
    "bmp": ("1", "L", "P", "RGB"),
    "webp": ("RGB", "RGBA"),
    "tiff": ("1", "L", "P", "RGB", "RGBA", "CMYK", "LAB", "I;16", "F"),
    "ppm": ("1", "L", "RGB"),
    "gif": ("P",),
    "ico": ("RGBA",),
    "tga": ("RGB",),
    "pcx": ("L",),
    "sgi": ("RGB",),
    "eps": ("RGB",),
    "pdf": ("RGB",),
    "jpeg2000": ("RGB",),
    "dds": ("RGBA",),
}
SUFFIXES = (".png", ".jpg", ".bmp", ".webp", ".tiff", ".PNG", ".tif")


def saved(form: str, mode: str, **options: object) -> bytes:
    file = BytesIO()
    image = RGB if mode == "LAB" else RGB.convert("L").convert(mode) if mode in {"I;16", "F"} else RGB.convert(mode)
    image.save(file, form, **options)
    return file.getvalue()


def png_of(width: int, height: int, depth: int = 8, colour: int = 2, data: bytes = b"") -> bytes:
    """Return a PNG whose header says what it likes."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"tEXt", b"a\x00" + b"\x1b[2J"), (b"IDAT", zlib.compress(data)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


IMAGES: Mapping[str, bytes] = {
    **{f"{form} {mode}": saved(form, mode) for form, modes in MODES.items() for mode in modes},
    **{
        f"tiff {name}": saved("tiff", "RGB", compression=name)
        for name in ("tiff_lzw", "tiff_deflate", "packbits", "jpeg")
    },
    "png of Adam7": saved("png", "RGB", optimize=True),
    "png of frames": saved("png", "RGB", save_all=True, append_images=[RGB, RGB]),
    "jpeg progressive": saved("jpeg", "RGB", progressive=True),
    "webp lossless": saved("webp", "RGB", lossless=True),
    "webp of frames": saved("webp", "RGB", save_all=True, append_images=[RGB]),
}
MADE: Mapping[str, bytes] = {
    "empty": b"",
    "html": b"<html>404</html>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "widest": png_of(2**31 - 1, 1),
    "largest": png_of(2**31 - 1, 2**31 - 1),
    "no pixels": png_of(0, 0),
    "just too large": png_of(8001, 8000),
    "bomb": png_of(30_000, 2_000, data=b"\x00" * 180_002_000),
    "16 bits": png_of(4, 4, depth=16, data=b"\x00" * 100),
    "wrong depth": png_of(4, 4, depth=3),
    "ppm of text": b"P3\n12 12\n255\n" + b"1 " * 432,
    "ppm that is huge": b"P6\n1000000 1000000\n255\n",
    "ppm of many digits": b"P6\n" + b"9" * 5000 + b" 1\n255\n",
    "ppm of 16 bits": b"P6\n12 12\n65535\n" + b"\x00" * 864,
    "ppm that never ends": b"P6\n" + b"#\n" * 200_000,
}


@pytest.fixture(scope="module")
def base(home: Path) -> Path:
    """Return a folder with images and masks of two classes, of which examples change the first."""
    for folder in ("images", "masks"):
        for name in ("a/0.png", "b/1.png"):
            write_png(home / "data" / folder / name, RANDOM.integers(0, 256, (SIZE, SIZE, 3)))
    return home / "data"


def read(base: Path, classes: str | None = None, resize: int | None = None) -> None:
    """Read all that a run reads of its images."""
    data = DataSpec(path="images", masks="masks")
    loaded = load_data(data, ModelSpec(spec="demo:vgg", classes=classes, resize=resize), base)
    rows = range(len(loaded.ids))
    assert loaded.images(rows).shape[1] == 3
    assert len(loaded.masks(rows)) == len(rows)
    assert len(loaded.digest) == 64


def put(base: Path, folder: str, suffix: str, make: Callable[[Path], object]) -> None:
    """Put a file in place of the first image or mask."""
    for each in ("images", "masks"):
        for file in (base / each / "a").iterdir():
            clear(file)
    make(base / folder / "a" / f"0{suffix if folder == 'images' else '.png'}")
    other = "masks" if folder == "images" else "images"
    write_png(base / other / "a" / "0.png", np.zeros((SIZE, SIZE, 3)))


FOLDERS = st.sampled_from(["images", "images", "masks"])
RESIZE = st.sampled_from([None, None, 8, 64])


@examples(5000)
@given(edited=edited_bytes(IMAGES), folder=FOLDERS, suffix=st.sampled_from(SUFFIXES), resize=RESIZE)
def test_an_edited_image_is_read_or_refused(
    base: Path, edited: Edited, folder: str, suffix: str, resize: int | None
) -> None:
    put(base, folder, suffix, lambda file: file.write_bytes(edited.content))
    count(folder, edited.kind)
    refuse_or_return(lambda: read(base, resize=resize), base.parent, folder)


@pytest.mark.parametrize("name", [*IMAGES, *MADE])
@pytest.mark.parametrize("suffix", SUFFIXES[:3])
def test_an_image_of_any_format_and_name_is_read_or_refused(base: Path, name: str, suffix: str) -> None:
    put(base, "images", suffix, lambda file: file.write_bytes({**IMAGES, **MADE}[name]))
    count("images", "another format")
    refuse_or_return(lambda: read(base), base.parent, "images")


MISSING_OR_NESTED = {("images", "missing"), ("images", "folder")}
"""An image that is missing is none of the data set, and a folder within a class may hold more images."""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("folder", ["images", "masks"])
def test_what_is_no_file_is_refused(base: Path, folder: str, kind: str) -> None:
    put(base, folder, ".png", KINDS[kind])
    count(folder, "no regular file")
    outcome = refuse_or_return(lambda: read(base), base.parent, folder)
    assert outcome == "DataError" or (folder, kind) in MISSING_OR_NESTED
