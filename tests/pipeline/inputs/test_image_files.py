"""Laws of the door for image files: named formats, a bounded number of bytes and pixels, and no program is started."""

import os
import subprocess
import zlib
from io import BytesIO
from pathlib import Path
from struct import pack
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin, TiffImagePlugin

from pipeline.inputs.image_files import (
    FORMATS,
    MODES,
    MOST_BYTES,
    MOST_PIXELS,
    read_content,
    read_image,
    resize_and_crop,
)
from srd.errors import DataError

POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n{} loop\n%%EOF\n"
PSD = b"8BPS" + pack(">H6xHIIHH", 1, 3, 4, 4, 8, 3) + pack(">III", 0, 0, 0) + bytes(2 + 3 * 16)


def encoded(kind: str, mode: str = "RGB", size: tuple[int, int] = (16, 12), **options: Any) -> bytes:
    file = BytesIO()
    Image.new(mode, size).save(file, kind, **options)
    return file.getvalue()


def written(folder: Path, content: bytes, name: str = "x.png") -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def refused(file: Path, mode: str = "RGB") -> str:
    with pytest.raises(DataError) as caught:
        read_image(file, mode)
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
    assert read_image(written(tmp_path, encoded(kind), name), "RGB").size == (16, 12)


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
@pytest.mark.parametrize("asked", ["RGB", "L"])
def test_eight_bits_a_channel_are_converted(tmp_path: Path, mode: str, asked: str) -> None:
    content = encoded("PNG" if mode in {"LA", "P", "RGBA"} else "TIFF", mode)
    assert read_image(written(tmp_path, content), asked).mode == asked


@pytest.mark.parametrize("mode", sorted(MODES))
@pytest.mark.parametrize("asked", ["RGB", "L"])
def test_pillow_converts_all_modes_that_are_let_in(mode: str, asked: str) -> None:
    assert Image.new(mode, (2, 2)).convert(asked).mode == asked


@pytest.mark.parametrize(
    ("kind", "mode"), [("TIFF", "LAB"), ("TIFF", "I"), ("TIFF", "F"), ("TIFF", "I;16"), ("PNG", "I;16")]
)
@pytest.mark.parametrize("asked", ["RGB", "L"])
def test_other_modes_are_refused_by_name(tmp_path: Path, kind: str, mode: str, asked: str) -> None:
    message = refused(written(tmp_path, encoded(kind, mode)), asked)
    assert f"has pixels of mode {mode}, not 8 bits a channel; convert it to RGB first" in message


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
    assert read_image(written(tmp_path, content), "RGB").size == (16, 12)


def test_metadata_without_bound_are_refused(tmp_path: Path) -> None:
    chunk = b"zTXt" + b"Comment\0\0" + zlib.compress(bytes(50 * 2**20))
    content = encoded("PNG")
    bomb = pack(">I", len(chunk) - 4) + chunk + pack(">I", zlib.crc32(chunk))
    assert "cannot be read as an image: ValueError" in refused(written(tmp_path, content[:33] + bomb + content[33:]))


def slowly_resized(image: Image.Image, side: int, crop: int, resampling: Image.Resampling) -> Image.Image:
    scale = side / min(image.size)
    whole = image.resize((round(image.width * scale), round(image.height * scale)), resampling)
    left, top = (whole.width - crop) // 2, (whole.height - crop) // 2
    return whole.crop((left, top, left + crop, top + crop))


@pytest.mark.parametrize("resampling", [Image.Resampling.BILINEAR, Image.Resampling.NEAREST])
def test_ordinary_images_are_resized_whole_and_then_cut(resampling: Image.Resampling) -> None:
    draw = np.random.default_rng(0)
    for number in range(40):
        width, height, side = (int(size) for size in draw.integers((20, 20, 16), (500, 500, 300)))
        crop = side if number % 2 else max(1, side - side // 8)
        image = Image.fromarray(draw.integers(0, 256, (height, width, 3), np.uint8))
        cut = resize_and_crop(Path("x.png"), image, (side, crop), resampling)
        assert cut.size == (crop, crop)
        assert cut.tobytes() == slowly_resized(image, side, crop, resampling).tobytes()


@pytest.mark.parametrize(
    ("size", "resize", "resized"),
    [
        ((100_000, 1), 224, "22400000x224"),
        ((1, 100_000), (256, 224), "256x25600000"),
        ((16, 16), 8001, "8001x8001"),
        ((2, 3), 10**9, "1000000000x1500000000"),
    ],
)
def test_what_grows_beyond_the_bound_is_refused(size: tuple[int, int], resize: Any, resized: str) -> None:
    with pytest.raises(DataError) as caught:
        resize_and_crop(Path("x.png"), Image.new("L", size), resize, Image.Resampling.NEAREST)
    message = str(caught.value)
    assert message.startswith(
        f"x.png: is {size[0]}x{size[1]}, resized by model.resize = {resize} {resized}, more than "
    )
    assert message.endswith("lower model.resize")
