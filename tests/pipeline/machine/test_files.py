import os
from pathlib import Path

import pytest

from pipeline.machine.files import UnreadableFile, open_file, read_file, refuse_what_a_parser_raises
from srd.errors import DataError, SpecError


def test_a_regular_file_is_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"ten bytes.")
    assert read_file(file, 10) == b"ten bytes."
    (tmp_path / "link").symlink_to(file)
    assert read_file(tmp_path / "link", 10) == b"ten bytes."


def test_a_file_stays_open_until_the_context_ends(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"ten bytes.")
    with open_file(tmp_path / "file", 10) as file:
        assert [file.read(4), file.read(), file.seek(0), file.read(3)] == [b"ten ", b"bytes.", 0, b"ten"]
    assert file.closed


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with file.open("wb") as sparse:
        sparse.truncate(2**40)
    with pytest.raises(UnreadableFile, match=f"holds {2**40} bytes, more than the 10 "):
        read_file(file, 10)


@pytest.mark.parametrize(
    "path",
    ["pipe", "/dev/zero", ".", "loop", "missing", "pipe/below", "x" * 300, "a\0b", "a\ud800b"],
    ids=["pipe", "device", "folder", "loop", "missing", "through a file", "long", "zero byte", "half a character"],
)
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, path: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UnreadableFile):
        read_file(tmp_path / path, 100)


@pytest.mark.parametrize("path", ["/proc/self/mem", "/proc/self/environ", "/proc/cpuinfo"])
def test_what_the_kernel_makes_up_is_no_file(path: str) -> None:
    with pytest.raises(UnreadableFile, match="made by the kernel"):
        read_file(Path(path), 100)


def test_an_empty_file_is_one(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert read_file(tmp_path / "empty", 0) == b""


def impossible_seek() -> OSError:
    with pytest.raises(OSError, match="Invalid argument") as caught, Path(__file__).open("rb", buffering=0) as file:
        file.seek(-1)
    return caught.value


@pytest.mark.parametrize(
    "raised",
    [RecursionError("deep"), KeyError("x"), OSError("not an image"), ValueError("no"), impossible_seek()],
    ids=lambda error: type(error).__name__,
)
def test_what_a_parser_raises_becomes_one_refusal(raised: Exception) -> None:
    with (
        pytest.raises(DataError, match=r"^here: .*; the way out$"),
        refuse_what_a_parser_raises(DataError, "here", "the way out"),
    ):
        raise raised


@pytest.mark.parametrize("quoted", ["\x7f", "\x1b[2J", "\u202e", "\ud800", "\x00"])
def test_what_a_parser_quotes_is_printable(quoted: str) -> None:
    with pytest.raises(DataError) as caught, refuse_what_a_parser_raises(DataError, "here", "the way out"):
        raise ValueError(f"é: unknown variant {quoted}F32")
    assert str(caught.value) == f"here: ValueError: é: unknown variant {ascii(quoted)[1:-1]}F32; the way out"


def test_refusals_and_failing_disks_pass() -> None:
    for raised in (SpecError("as it is"), OSError(5, "Input/output error"), MemoryError()):
        with pytest.raises(type(raised)) as caught, refuse_what_a_parser_raises(DataError, "here", "out"):
            raise raised
        assert caught.value is raised
