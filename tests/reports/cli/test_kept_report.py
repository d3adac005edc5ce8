"""A finished run is answered without writing its report again, unless the report is not what it would write."""

import re
import shutil
import tomllib
from pathlib import Path

import pytest
from command_line import Command
from small_audits import store_in

from pipeline.machine.libraries import LIBRARIES
from pipeline.machine.sources import ROOT
from pipeline.store.store import Store
from pipeline.verification import findings
from reports.cli import kept_report
from reports.cli.kept_report import DRAWING, RECORD, kept_endings
from reports.runs import PAGE


@pytest.fixture(scope="module")
def kept(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the shared run, whose report a command has written."""
    home: Path = tmp_path_factory.mktemp("kept") / "run"
    shutil.copytree(folder, home)
    return home


@pytest.fixture
def run(kept: Path, command: Command, tmp_path: Path) -> Path:
    """Folder of a run with a report that is kept."""
    if not (kept / RECORD).exists():
        assert command("report", kept).code == 0
    return Path(shutil.copytree(kept, tmp_path / "run"))


def test_the_endings_of_a_kept_report_are_those_that_were_told(run: Path, command: Command) -> None:
    (ending,) = kept_endings(run)
    told = command("report", run).err
    assert f"verdict  {ending.sentence}" in told
    assert (ending.subject, ending.result) == ("", str(run / "audit.json"))


@pytest.mark.parametrize("file", ["audit.json", "summary.md", "report.html", PAGE, "report/style.css", RECORD])
def test_a_file_that_is_missing_or_edited_is_written_again(run: Path, file: str) -> None:
    before = (run / file).read_bytes()
    (run / file).write_bytes(before + b" x")
    assert not kept_endings(run)
    (run / file).unlink()
    assert not kept_endings(run)
    (run / file).write_bytes(before)
    assert kept_endings(run)


def test_the_report_of_another_store_is_not_kept(run: Path) -> None:
    store = Store(store_in(run))
    task = next(store.finished_tasks())
    store.receipts.withdraw([task.key])
    assert not kept_endings(run)


def test_a_report_that_lacks_a_verification_is_not_kept(run: Path) -> None:
    (run / findings.NAME).write_text("[]", encoding="utf-8")
    assert not kept_endings(run)


@pytest.mark.parametrize("kind", ["folder", "link out"])
def test_a_verification_that_cannot_be_read_is_refused_as_without_a_record(
    run: Path, command: Command, kind: str, tmp_path: Path
) -> None:
    place = run / findings.NAME
    place.unlink(missing_ok=True)
    if kind == "folder":
        place.mkdir()
    else:
        place.symlink_to(tmp_path / "nowhere")
    assert not kept_endings(run)
    end = command("report", run)
    assert end.code == 2
    assert str(place.name) in end.err


@pytest.mark.parametrize("part", ["source_digest", "_pages_digest", "_versions"])
def test_the_report_of_other_code_is_not_kept(run: Path, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_report, part, lambda: "other")
    assert not kept_endings(run)


def test_the_record_changes_no_byte_of_the_report(run: Path, command: Command) -> None:
    files = {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}
    assert command("report", run).code == 0
    assert files == {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}


def test_the_libraries_of_pages_are_installed_with_the_project() -> None:
    """Not with its tests alone: a user's run asks for their versions."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.split(r"[\[<>=]", each)[0] for each in project["dependencies"]}
    assert {*LIBRARIES, *DRAWING} <= names
