"""Edits of the files of a run: which files, what is done to them, and what no edit may do."""

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from file_kinds import clear

FILES: Mapping[str, str] = {
    "root": "audit.zarr/zarr.json",
    "manifest": "audit.records/preparation/manifest",
    "array": "audit.zarr/score/zarr.json",
    "coordinate": "audit.zarr/image/c/0",
    "prepared": "audit.zarr/label/c/0",
    "inputs": "audit.zarr/input/c/0/1/0/0/0",
    "maps": "audit.zarr/attribution/c/0/0/0/0/0",
    "scores": "audit.zarr/score/c/0/0/0/0",
    "receipt": "audit.records/ledger/score-00000-00",
    "spec": "audit.toml",
    "verification": "verification.json",
    "log": "logs/tasks.jsonl",
    "result": "audit.json",
}
"""A file of each kind."""
OTHERS: Mapping[str, str] = {
    "root": "audit.zarr/label/zarr.json",
    "manifest": "audit.zarr/zarr.json",
    "array": "audit.zarr/reason/zarr.json",
    "coordinate": "audit.zarr/class/c/0",
    "prepared": "audit.zarr/target_image/c/0",
    "inputs": "audit.zarr/input/c/1/1/0/0/0",
    "maps": "audit.zarr/attribution/c/1/0/0/0/0",
    "scores": "audit.zarr/score/c/1/0/0/0",
    "receipt": "audit.records/ledger/score-00001-00",
    "spec": "audit.json",
    "verification": "audit.toml",
    "log": "logs/runs.jsonl",
    "result": "verification.json",
}
"""The file that it is exchanged with."""
HUGE = 2**40
Edit = Callable[[Path, Path, Path], object]
"""An edit of a file, given the other one and a folder outside of the run."""


def exchange(file: Path, other: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(other.read_bytes())
    other.write_bytes(content)


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def move_out(file: Path, outside: Path) -> None:
    """Put a link to a copy of the file outside in its place."""
    target = outside / "linked"
    shutil.copyfile(file, target)
    clear(file).symlink_to(target)


def move_folder_out(file: Path, outside: Path) -> None:
    """Put a link to a copy of the file's folder outside in the place of the folder."""
    target = outside / "linked folder"
    shutil.copytree(file.parent, target)
    clear(file.parent).symlink_to(target)


def fill_with_nothing(file: Path) -> None:
    file.write_bytes(b"")
    os.truncate(file, HUGE)


EDITS: Mapping[str, Edit] = {
    "deleted": lambda file, *_: file.unlink(),
    "emptied": lambda file, *_: file.write_bytes(b""),
    "truncated": lambda file, *_: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "bit flipped": lambda file, *_: flip(file),
    "exchanged": lambda file, other, _: exchange(file, other),
    "a folder": lambda file, *_: clear(file).mkdir(),
    "a pipe": lambda file, *_: os.mkfifo(clear(file)),
    "a link out": lambda file, _, outside: move_out(file, outside),
    "its folder a link out": lambda file, _, outside: move_folder_out(file, outside),
    "huge and empty": lambda file, *_: fill_with_nothing(file),
}


def empty(outside: Path) -> None:
    """Remove what edits have put outside."""
    for name in ("linked", "linked folder"):
        clear(outside / name)
