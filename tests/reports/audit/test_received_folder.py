"""A run's folder from somebody else is data: its report is written into it alone, and shows its texts as texts."""

import os
import shutil
from pathlib import Path

import pytest
from made_once import made_once
from markupsafe import escape
from small_audits import edit, finish, tree, write_audit

from pipeline.machine.writing import write_files
from pipeline.store.results import open_results
from pipeline.store.runs import location_of
from reports.audit import maps, page
from reports.audit.facts import EXPLANATION, ConditionFacts
from reports.audit.readings import Readings
from reports.audit.report import write_report
from reports.audit.sections import AuditResult
from srd.errors import StoreError

MARKUP = "<script>alert(1)</script>"


@pytest.fixture(scope="session")
def received(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run of which a class is called as markup is, with its report."""

    def make(home: Path) -> None:
        spec = write_audit(home / "audit")
        edit(home / "audit" / "classes.json", '"Red"', f'"{MARKUP} | *x*"')
        finish(spec, home / "run")
        write_report(home / "run")

    return made_once(tmp_path_factory, "received", make) / "run"


@pytest.fixture(scope="session")
def readings(received: Path) -> Readings:
    return Readings(open_results(location_of(received)).load())


@pytest.fixture
def run(received: Path, tmp_path: Path) -> Path:
    shutil.copytree(received, tmp_path / "run")
    return tmp_path / "run"


PLACES = [
    "summary.md",
    "audit.json",
    "report",
    "report/index.html",
    "report/style.css",
    "report/data",
    "report/maps",
    "report/figures",
    "report/data/audit.schema.json",
]


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_no_file_of_a_report_is_written_through_a_link(run: Path, tmp_path: Path, place: str) -> None:
    outside = tmp_path / "outside"
    (run / place).rename(outside)
    (run / place).symlink_to(outside)
    before = tree(outside) if outside.is_dir() else {"": outside.read_text(encoding="utf-8")}
    if place == "report/data/audit.schema.json":
        write_report(run)  # its folder is made anew
        assert not (run / place).is_symlink()
    else:
        with pytest.raises(StoreError, match=f"{place}: is a link"):
            write_report(run)
    assert (tree(outside) if outside.is_dir() else {"": outside.read_text(encoding="utf-8")}) == before


@pytest.mark.slow
@pytest.mark.parametrize("place", ["summary.md", "report/index.html"])
def test_a_pipe_in_place_of_a_file_is_refused_and_not_waited_for(run: Path, place: str) -> None:
    (run / place).unlink()
    os.mkfifo(run / place)
    with pytest.raises(StoreError, match=f"{place}: is a link, a folder or a device, not a file"):
        write_report(run)


ON_SRD = "manipulate:srd@8/255"
HOSTILE_LAYERS = ["/../../../../x", "../../x", "\x1b[31m", "a" * 300]


def sheet_files(readings: Readings, method: str) -> list[str]:
    """Return the files of the cases of an attack on SRD, with another name for SRD."""
    conditions = [
        f"manipulate:{method}@8/255" if name == ON_SRD else name for name in readings.dataset.perturbation.values
    ]
    dataset = readings.dataset.assign_coords(
        method=[method if name == "srd" else name for name in readings.methods],
        perturbation=conditions,
        perturbation_group=("perturbation", conditions),
    )
    renamed = Readings(dataset)
    facts = ConditionFacts.model_construct(
        id=f"manipulate:{method}@8/255", name="manipulate", family=EXPLANATION, against=method, strength=8 / 255
    )
    return [case.sheet.file for case in maps.cases(renamed, maps.choose(renamed, [facts]))]


@pytest.mark.parametrize("layer", HOSTILE_LAYERS, ids=range(len(HOSTILE_LAYERS)))
def test_a_name_from_the_store_stays_below_the_folder(readings: Readings, tmp_path: Path, layer: str) -> None:
    """A method at a layer may be called anything."""
    files = sheet_files(readings, f"srd@{layer}")
    assert files
    write_files(tmp_path, [(file, b"") for file in files])
    assert sorted(f"maps/{file.name}" for file in (tmp_path / "maps").iterdir()) == sorted(files)


def test_two_layers_never_have_one_file(readings: Readings) -> None:
    names = [sheet_files(readings, f"srd@{layer}") for layer in ("a/b", "a-b", "a:b", "a b")]
    assert len({file for files in names for file in files}) == sum(map(len, names))


def test_what_a_text_holds_is_shown_and_not_obeyed(run: Path) -> None:
    html = (run / "report" / "index.html").read_text(encoding="utf-8")
    assert MARKUP not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


LAYERS_OF_MARKUP = {
    MARKUP: r"\<script>alert(1)\</script>",
    "[a](javascript:alert(1))": r"[a]\(javascript:alert(1))",
    "![a][b]": r"![a]\[b]",
    "a\n[b]: c": r"a [b]\: c",
    "a|b": r"a\|b",
    "a\\|b": r"a\\\|b",
}


@pytest.mark.parametrize(("layer", "shown"), LAYERS_OF_MARKUP.items(), ids=range(len(LAYERS_OF_MARKUP)))
def test_a_method_title_is_escaped_in_html_and_in_markdown(run: Path, layer: str, shown: str) -> None:
    result = AuditResult.model_validate_json((run / "audit.json").read_text(encoding="utf-8"))
    renamed = result.model_copy(update={"notes": {f"srd@{layer}": "a note"}})
    assert f"- SRD at {shown}: a note" in page.markdown(renamed)
    text = page.html(renamed, (), ())
    assert f"SRD at {escape(layer)}" in text
    assert layer == str(escape(layer)) or f"SRD at {layer}" not in text
