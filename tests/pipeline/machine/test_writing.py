"""Nothing is written, appended to or removed outside the folder that was named, whatever lies in it."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.machine.writing import append_line, remove_file, remove_folders, write_files
from srd.errors import StoreError

Write = Callable[[Path, str], None]
WRITERS: dict[str, Write] = {
    "write": lambda folder, name: write_files(folder, [(name, b"theirs")]),
    "append": lambda folder, name: append_line(folder, name, "theirs"),
}
every_writer = pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder with a file, neither of which a test may change."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text("mine", encoding="utf-8")
    return tmp_path / "outside"


def assert_untouched(outside: Path) -> None:
    assert [file.read_text(encoding="utf-8") for file in outside.iterdir()] == ["mine"]


@every_writer
def test_a_file_and_its_folders_are_made(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "run", "a/b/file")
    assert (tmp_path / "run/a/b/file").read_text(encoding="utf-8") == "theirs"
    assert [path.name for path in (tmp_path / "run/a/b").iterdir()] == ["file"]


def test_a_file_is_replaced_and_a_line_is_appended(tmp_path: Path) -> None:
    for text in (b"longer", b"new"):
        write_files(tmp_path, [("file", text)])
    for line in ("one\n", "two\n"):
        append_line(tmp_path, "lines", line)
    assert (tmp_path / "file").read_bytes() == b"new"
    assert (tmp_path / "lines").read_text(encoding="utf-8") == "one\ntwo\n"


@every_writer
@pytest.mark.parametrize("link", ["", "a", "a/b"])
def test_no_folder_is_entered_through_a_link(tmp_path: Path, outside: Path, write: Write, link: str) -> None:
    place = tmp_path / "run" / link
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(outside)
    with pytest.raises(StoreError, match=f"{place}: is a link or a file, not a folder; remove it"):
        write(tmp_path / "run", "a/b/file")
    assert_untouched(outside)


def fill_with_pipe(place: Path) -> None:
    os.mkfifo(place)


OBSTACLES: dict[str, Callable[[Path], None]] = {
    "link": lambda place: place.symlink_to(place.parents[1] / "outside" / "file"),
    "dangling link": lambda place: place.symlink_to(place.parents[1] / "outside" / "new"),
    "folder": Path.mkdir,
    "pipe": fill_with_pipe,
}


@every_writer
@pytest.mark.parametrize("fill", OBSTACLES.values(), ids=OBSTACLES)
def test_only_regular_files_are_written(
    tmp_path: Path, outside: Path, write: Write, fill: Callable[[Path], None]
) -> None:
    (tmp_path / "run").mkdir()
    fill(tmp_path / "run" / "file")
    with pytest.raises(StoreError, match="run/file: is a link, a folder or a device, not a file; remove it"):
        write(tmp_path / "run", "file")
    assert_untouched(outside)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["file"]


NO_NAMES = [
    "",
    "/etc/x",
    "../x",
    "a/../../x",
    "a//b",
    "./a",
    "a/",
    "a\nb",
    "a\0b",
    "\x1b[31m",
    "\ud800",
    "x" * 256,
    "é" * 128,
]


@every_writer
@pytest.mark.parametrize("name", NO_NAMES, ids=range(len(NO_NAMES)))
def test_names_that_lead_elsewhere_or_cannot_be_are_refused(tmp_path: Path, write: Write, name: str) -> None:
    with pytest.raises(StoreError, match="use a store that this program has made"):
        write(tmp_path / "run", name)
    assert not list(tmp_path.rglob("*"))


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="two files are to be called 'a'"):
        write_files(tmp_path, [("a", b"1"), ("a", b"2")])


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tmp_path, [("file", b"before")])

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        write_files(tmp_path, [("file", b"after")])
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"before")]


def test_folders_are_removed_but_not_what_their_links_lead_to(tmp_path: Path, outside: Path) -> None:
    run = tmp_path / "run"
    write_files(run, [("old/deep/file", b""), ("kept", b"")])
    (run / "old" / "link").symlink_to(outside)
    remove_folders(run, ["old", "never there", "no/folder"])
    assert [path.name for path in run.iterdir()] == ["kept"]
    assert_untouched(outside)


@pytest.mark.parametrize("link", ["old", "part"])
def test_no_folder_is_removed_through_a_link(tmp_path: Path, outside: Path, link: str) -> None:
    (tmp_path / "run").mkdir()
    (outside / "file").rename(tmp_path / "kept")
    (outside / "old").mkdir()
    (tmp_path / "kept").rename(outside / "old" / "file")
    (tmp_path / "run" / link).symlink_to(outside / "old" if link == "old" else outside)
    with pytest.raises(StoreError, match="is a link or a file, not a folder"):
        remove_folders(tmp_path / "run", ["old" if link == "old" else "part/old"])
    assert (outside / "old" / "file").read_text(encoding="utf-8") == "mine"


def test_of_a_link_the_link_is_removed(tmp_path: Path, outside: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "file").symlink_to(outside / "file")
    remove_file(tmp_path / "run", "file")
    remove_file(tmp_path / "run", "file")
    assert not list((tmp_path / "run").iterdir())
    assert_untouched(outside)


@pytest.mark.parametrize("name", ["file", "folder/file"])
@pytest.mark.parametrize("refusing", ["replace", "fdopen"])
def test_an_error_of_the_disk_names_the_file_not_its_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, refusing: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", ".0123.partial")

    monkeypatch.setattr(os, refusing, refuse)
    with pytest.raises(OSError, match="Read-only file system") as refusal:
        write_files(tmp_path, [(name, b"content")])
    assert str(refusal.value) == f"[Errno {errno.EROFS}] Read-only file system: '{tmp_path / name}'"
