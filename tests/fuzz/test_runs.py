"""Runs of which any file is edited in any way: each command reads, refuses or mends what lies there."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from byte_edits import BYTE_EDITS
from file_kinds import KINDS, clear
from fuzzing import count, examples
from hypothesis import given
from hypothesis import strategies as st
from json_edits import edited_json
from runs import DAMAGED, DONE, INCOMPLETE, STORED, SoundRun, guarded, pages, stored

pytestmark = pytest.mark.fuzz

RECEIPTS = "audit.records/ledger/"
FAILED = "audit.records/failures/score-00001-00"
"""A record of a failure; it counts where its task has no receipt."""
FAILURE = {"error": "ValueError: a", "traceback": "Traceback"}


def files_of(sound: SoundRun) -> list[str]:
    """Return the files of the sound run that commands read; of the report's files none is read."""
    return sorted(name for name in tree_of(sound.whole) if not name.startswith("report/"))


def tree_of(folder: Path) -> list[str]:
    return [str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file()]


def check_readers(sound: SoundRun, name: str, with_report: bool) -> None:
    """Call the commands that read: none may take an edited store for a whole one, and none writes into it."""
    changed, before = sound.changed(), stored(sound.copy)
    withdrawn = {key for key in changed if key.startswith(RECEIPTS) and not (sound.copy / key).exists()}
    if with_report or changed:
        reported = guarded(sound, "report", sound.copy)
        if reported.code == DONE and not withdrawn and changed:
            assert pages(sound.copy) == pages(sound.whole)
    verified = guarded(sound, "verify", sound.copy)  # which takes back what the report says of damage
    assert not changed or verified.code != DONE, (name, changed)
    guarded(sound, "status", sound.copy)
    assert stored(sound.copy) == before


def check_export(sound: SoundRun) -> None:
    """Check that no export is made of what is changed."""
    is_changed = bool(sound.changed())
    target = sound.copy / "out.nc"
    exported = guarded(sound, "export", sound.copy, target)
    assert not is_changed or exported.code != DONE or missing(sound)
    assert (exported.code == DONE) == target.exists()


def missing(sound: SoundRun) -> bool:
    return any(not (sound.copy / key).exists() for key in sound.changed() if key.startswith(RECEIPTS))


def check_run(sound: SoundRun) -> None:
    """Run the same spec: if it ends well, then its receipts are true of what it has read or written."""
    end = guarded(sound, "run", sound.spec, "--out", sound.copy, "--stage", "score")
    if end.code == DONE:
        assert guarded(sound, "verify", sound.copy).code in {DONE, DAMAGED}
        assert (sound.store / "zarr.json").is_file()


@examples(90, is_slow=True)
@given(data=st.data())
def test_a_run_with_edited_bytes(sound: SoundRun, data: st.DataObject) -> None:
    run = sound.restore()
    name = data.draw(st.sampled_from(files_of(sound)))
    kind = data.draw(st.sampled_from(sorted(BYTE_EDITS)))
    content = BYTE_EDITS[kind](data.draw, (run / name).read_bytes())
    (run / name).write_bytes(content)
    count("runs", kind)
    check_readers(sound, name, data.draw(st.integers(0, 9)) == 0)
    if data.draw(st.integers(0, 3)) == 0:
        check_run(sound)


@examples(90, is_slow=True)
@given(data=st.data())
def test_a_run_with_edited_json(sound: SoundRun, data: st.DataObject) -> None:
    """Receipts, manifest, metadata, records of failures, findings and logs are JSON."""
    run = sound.restore()
    write_failure(run)
    names = [name for name in tree_of(run) if not name.startswith("report/") and is_json(run / name)]
    often = [name for name in names if not name.endswith("/zarr.json")]
    name = data.draw(st.sampled_from(sorted(names)) | st.sampled_from(sorted(often)))
    if name == FAILED:
        (run / RECEIPTS / Path(FAILED).name).unlink()
    (run / name).write_bytes(data.draw(edited_json(json.loads((run / name).read_bytes()))))
    count("runs", "JSON edited")
    check_readers(sound, name, data.draw(st.integers(0, 9)) == 0)
    if data.draw(st.integers(0, 3)) == 0:
        check_run(sound)


def write_failure(run: Path) -> None:
    (run / FAILED).parent.mkdir()
    (run / FAILED).write_text(json.dumps(FAILURE), encoding="utf-8")


def is_json(file: Path) -> bool:
    try:
        return isinstance(json.loads(file.read_bytes()), dict | list)
    except ValueError:
        return False


@examples(40, is_slow=True)
@given(data=st.data())
def test_a_run_with_something_else_in_place_of_a_file(sound: SoundRun, data: st.DataObject) -> None:
    run = sound.restore()
    name = data.draw(st.sampled_from(files_of(sound)))
    kind = data.draw(st.sampled_from(sorted(KINDS)))
    KINDS[kind](clear(run / name))
    count("runs", kind)
    check_readers(sound, name, False)
    check_run(sound)


FOLDERS: Mapping[str, Callable[[Path, SoundRun], object]] = {
    "a folder removed": lambda folder, _: clear(folder),
    "a folder emptied": lambda folder, _: clear(folder).mkdir(),
    "a file in place of a folder": lambda folder, _: clear(folder).write_text("a", encoding="utf-8"),
    "a pipe in place of a folder": lambda folder, _: os.mkfifo(clear(folder)),
    "a link to an empty folder": lambda folder, sound: clear(folder).symlink_to(sound.beside),
    "a link to itself": lambda folder, _: clear(folder).symlink_to(folder.name),
    "files that nobody wrote": lambda folder, _: (folder / "a").write_text("a", encoding="utf-8"),
    "litter": lambda folder, _: (folder / "a.partial").write_text("a", encoding="utf-8"),
    "a link among the files": lambda folder, sound: (folder / "a.partial").symlink_to(sound.beside),
}


@examples(40, is_slow=True)
@given(data=st.data())
def test_a_run_with_edited_folders(sound: SoundRun, data: st.DataObject) -> None:
    run = sound.restore()
    folders = sorted(str(each.relative_to(run)) for each in run.rglob("*") if each.is_dir())
    kind = data.draw(st.sampled_from(sorted(FOLDERS)))
    name = data.draw(st.sampled_from([each for each in folders if not each.startswith("report/")]))
    FOLDERS[kind](run / name, sound)
    count("runs", kind)
    check_readers(sound, name, data.draw(st.integers(0, 9)) == 0)
    check_run(sound)


@examples(12, is_slow=True)
@given(data=st.data())
def test_the_export_of_an_edited_run(sound: SoundRun, data: st.DataObject) -> None:
    run = sound.restore()
    name = data.draw(st.sampled_from([each for each in files_of(sound) if each.startswith(STORED)]))
    kind = data.draw(st.sampled_from(sorted(BYTE_EDITS)))
    (run / name).write_bytes(BYTE_EDITS[kind](data.draw, (run / name).read_bytes()))
    count("runs", f"exported, {kind}")
    check_export(sound)


def test_a_sound_run_is_read_and_left_as_it_is(sound: SoundRun) -> None:
    sound.restore()
    check_readers(sound, "", True)
    check_export(sound)
    check_run(sound)
    assert guarded(sound, "verify", sound.copy).code == DONE
    assert stored(sound.copy) == stored(sound.whole)
    (sound.copy / RECEIPTS / "score-00000-00").unlink()
    assert guarded(sound, "verify", sound.copy).code == INCOMPLETE
