"""Copies of a small finished run, the commands that read them, and the laws of how these end."""

import json
import os
import shutil
import sys
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from hashlib import sha256
from io import StringIO
from pathlib import Path

import numpy as np
import zarr
from command_line import CommandEnd
from file_kinds import clear
from fuzzing import check_message
from guard import Guard
from small_audits import SPEC, write_audit

from pipeline.execution.subjects import context_of
from reports.cli import main

DONE, REFUSED, DAMAGED, INCOMPLETE = 0, 2, 3, 4
ENDS = frozenset({DONE, REFUSED, DAMAGED, INCOMPLETE})
"""How a command may end on an edited run: 1 is a bug, and of 5 no edit of a file is to blame."""
SECONDS = 30
SHORT = SPEC.partition('\n[[perturbation]]\nname = "pgd"')[0].replace('["srd", "saliency", "random"]', '["saliency"]')
RUN = "\n[run]\ntile = 4\nseed = 1\n"
MARK = "error "
STORED = ("audit.zarr/", "audit.records/")
"""The folders of what is stored."""
LARGEST = 2**20  # bytes of a file of the small run


@dataclass(frozen=True)
class SoundRun:
    """A finished run, which stays as it is, and the copy that examples edit."""

    whole: Path
    copy: Path
    beside: Path
    spec: Path

    @property
    def store(self) -> Path:
        return self.copy / "audit.zarr"

    def restore(self) -> Path:
        """Make the copy what the sound run is."""
        clear(self.copy)
        shutil.copytree(self.whole, self.copy)
        context_of.cache_clear()
        return self.copy

    def changed(self) -> list[str]:
        """Return the files of the store that say something else than those of the sound run."""
        files = (str(each.relative_to(self.whole)) for each in sorted(self.whole.rglob("*")) if each.is_file())
        return [file for file in files if file.startswith(STORED) and is_changed(self.copy, file, self.whole)]


def make_sound_run(folder: Path) -> SoundRun:
    """Run a small audit, write its report and verify it. The folder is no link."""
    for name in ("home", "beside"):
        (folder / name).mkdir()
    spec = write_audit(folder / "audit")
    spec.write_text(SHORT + RUN, encoding="utf-8")
    sound = SoundRun(folder / "whole", folder / "home" / "run", folder / "beside", spec)
    commands: tuple[tuple[object, ...], ...] = (
        ("run", spec, "--out", sound.whole),
        ("verify", spec, "--out", sound.whole, "--sample", 1),
        ("export", sound.whole, folder / "out.nc"),  # h5py asks for the processor in a process when it is imported
    )
    for arguments in commands:
        end = call_command(*arguments)
        assert end.code == DONE, end.err
    (sound.beside / "file").write_bytes((sound.whole / "audit.zarr" / "zarr.json").read_bytes())
    return sound


def call_command(*arguments: object) -> CommandEnd:
    """Call the command line in this process."""
    out, err = StringIO(), StringIO()
    before, sys.argv = sys.argv, ["srd-audit", *map(str, arguments)]
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main()
    except SystemExit as stop:
        return CommandEnd(int(stop.code or 0), out.getvalue(), err.getvalue())
    finally:
        sys.argv = before


def guarded(sound: SoundRun, *arguments: object) -> CommandEnd:
    """Call a command under guard: it may change the copy alone. Check what it says."""
    with Guard([sound.copy], [sound.beside, sound.spec.parent], SECONDS).watch():
        end = call_command(*arguments)
    assert end.code in ENDS, (arguments[0], end)
    check_end(str(arguments[0]), end)
    return end


def check_end(command: str, end: CommandEnd) -> None:
    """Check that a command which failed says so once, and one that succeeded does not."""
    lines = end.err.splitlines()
    told = [number for number, line in enumerate(lines) if line.startswith(MARK)]
    is_silent = end.code == DONE or (command == "status" and end.code == INCOMPLETE)
    assert len(told) == (not is_silent), end.err
    check_message(end.err[-4000:] or "nothing")
    assert "Traceback" not in end.out


def is_changed(store: Path, key: str, before: Path) -> bool:
    """Return whether a file of the store says something else than before: bytes, JSON or values of its array."""
    file, sound = store / key, before / key
    if os.path.realpath(file) != str(file) or not file.is_file() or file.stat().st_size > LARGEST:
        return True
    return file.read_bytes() != sound.read_bytes() and not (_same_json(file, sound) or _same_values(store, before, key))


def _same_json(file: Path, sound: Path) -> bool:
    with suppress(ValueError, RecursionError):
        return bool(json.loads(file.read_bytes()) == json.loads(sound.read_bytes()))
    return False


def _same_values(store: Path, before: Path, key: str) -> bool:
    name, _, chunk = key.partition("/c/")
    with suppress(Exception):  # a damaged chunk may make zarr raise anything
        values = [np.asarray(zarr.open_array(each / name, mode="r")[:]) for each in (store, before)]
        return bool(chunk) and values[0].tobytes() == values[1].tobytes() and values[0].dtype.kind != "T"
    return False


def state(folder: Path) -> dict[str, str]:
    """Return the digest of every file, the target of every link, and the size of what is too large to read."""
    return {
        str(path.relative_to(folder)): _state(path)
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or not path.is_dir()
    }


def stored(folder: Path) -> dict[str, str]:
    """Return the state of what a run has stored."""
    return {name: each for name, each in state(folder).items() if name.startswith(STORED)}


def pages(folder: Path) -> dict[str, str]:
    """Return the state of what a report holds."""
    return {name: each for name, each in state(folder).items() if name.startswith(("report/", "audit.json", "summary"))}


def _state(path: Path) -> str:
    if path.is_symlink():
        return f"link to {path.readlink()}"
    is_small = path.is_file() and path.stat().st_size <= LARGEST
    return sha256(path.read_bytes()).hexdigest() if is_small else f"{path.lstat().st_mode} {path.lstat().st_size}"
