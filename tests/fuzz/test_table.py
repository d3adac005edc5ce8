"""Each kind of edit of each kind of file of a run: how the commands end. `--write-docs` writes docs/edits.md."""

import pytest
from command_line import CommandEnd
from edit_table import CELLS, EditOutcome, page
from fuzzing import count
from measured_table import DOCS, frame
from runs import DONE, STORED, SoundRun, guarded, pages, stored
from store_edits import EDITS, FILES, OTHERS, empty

pytestmark = pytest.mark.fuzz

CASES = [(file, edit) for file in FILES for edit in EDITS]
IN_STORE = {file for file, path in FILES.items() if path.startswith(STORED)}
ROOT = {
    ("spec", "its folder a link out"),
    ("verification", "its folder a link out"),
    ("result", "its folder a link out"),
}
"""The folder of these files is the run's own, which a link may lead to."""
outcomes: dict[tuple[str, str], EditOutcome] = {}


def edited(sound: SoundRun, file: str, edit: str) -> None:
    run = sound.restore()
    EDITS[edit](run / FILES[file], run / OTHERS[file], sound.beside)


@pytest.mark.parametrize(("file", "edit"), [case for case in CASES if case not in ROOT])
def test_an_edited_run_is_refused_read_or_mended(sound: SoundRun, file: str, edit: str) -> None:
    count("runs", f"{file} {edit}")
    empty(sound.beside)
    ends: dict[str, CommandEnd] = {}
    for command in ("verify", "report", "run"):
        edited(sound, file, edit)
        is_changed = bool(sound.changed())
        arguments = (
            ("run", sound.spec, "--out", sound.copy, "--stage", "score") if command == "run" else (command, sound.copy)
        )
        ends[command] = guarded(sound, *arguments)
        if is_changed and command == "verify":
            assert ends["verify"].code != DONE
        if is_changed and command == "report" and file != "receipt" and ends["report"].code == DONE:
            assert pages(sound.copy) == pages(sound.whole)
        empty(sound.beside)
    outcomes[file, edit] = EditOutcome(ends, stored(sound.copy) == stored(sound.whole))


def test_the_page_in_docs_says_how_each_edit_ends(request: pytest.FixtureRequest) -> None:
    if len(outcomes) < len(CASES) - len(ROOT):
        pytest.skip("not all edits were tried")
    path, seen = DOCS / "edits.md", page(outcomes)
    if request.config.getoption("write_docs"):
        path.write_text(seen, encoding="utf-8")
    assert frame(path.read_text(encoding="utf-8"), CELLS) == frame(seen, CELLS)
