"""Every command finds a run of a spec in one place, from wherever it is called."""

import shutil
import subprocess
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from command_line import Command
from small_audits import edit, object_path, store_in, tree, write_audit

from pipeline.store.location import Location
from pipeline.store.receipts import RECEIPTS
from pipeline.store.results import open_results

ROOT = Path(__file__).parents[3]
WORKING = {
    "run": ("running.run_audit", ("--stage", "score")),
    "plan": ("planning.refuse_unfit", ()),
    "apop": ("apop.write_apop", ()),
    "concepts": ("concepts.write_concepts", ("--layer", "relu1")),
    "manipulate-model": ("manipulated_model.write_manipulated_model", ()),
    "variants": ("variants.write_variants", ()),
    "verify": ("verifying.jobs_of_spec", ()),
}
"""Each command that works on a spec: the function that it tells the folder, and what else it is to be told."""
PLACES = {
    "spec in the current folder": (".", "small.toml", (), "runs/small"),
    "spec in another folder": ("other", "../mine/small.toml", (), "../mine/runs/small"),
    "audit.toml here": (".", "audit.toml", (), "runs/mine"),
    "audit.toml elsewhere": ("other", "../mine/audit.toml", (), "../mine/runs/mine"),
    "--runs": ("other", "../mine/audit.toml", ("--runs", "all"), "all/mine"),
    "--runs from another folder": (".", "small.toml", ("--runs", "../other/all"), "../other/all/small"),
}
"""The folder of the call beside `mine`, the spec, the options and the folder of the run."""
every_place = pytest.mark.parametrize(("here", "spec", "options", "place"), PLACES.values(), ids=PLACES)


class Stop(Exception):
    """Ends a command before it works."""


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Collect the folders in which commands would work."""
    folders = list[Path]()

    def stop(*arguments: Any) -> None:
        place = arguments[1]
        folders.append(Path(place.url) if isinstance(place, Location) else place)
        raise Stop

    for module in {function.rpartition(".")[0] for function, _ in WORKING.values()}:
        import_module(f"reports.cli.{module}")  # before any of them is patched, as they import from each other
    for function, _ in WORKING.values():
        monkeypatch.setattr(f"reports.cli.{function}", stop)
    monkeypatch.setattr("reports.cli.planning.plan_audit", lambda *arguments: {})
    return folders


@pytest.fixture(scope="session")
def finished(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the spec `mine/small.toml`, with its finished run `run`."""
    home: Path = tmp_path_factory.mktemp("finished")
    shutil.copytree(folder, home / "run")
    n_images = len(open_results(store_in(folder))["image"])
    spec = (ROOT / "specs" / "smoke.toml").read_text(encoding="utf-8").replace("n = 8", f"n = {n_images}")
    (home / "mine").mkdir()
    for file in ("mine/small.toml", "run/audit.toml"):
        (home / file).write_text(spec, encoding="utf-8")
    return home


def enter(home: Path, here: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `mine`, with a spec under two names, and go to a folder beside or to itself."""
    (home / "other").mkdir()
    shutil.copy(home / "mine" / "small.toml", home / "mine" / "audit.toml")
    monkeypatch.chdir(home / ("mine" if here == "." else here))


@every_place
def test_whatever_works_on_a_spec_does_so_in_one_folder(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[Path],
    here: str, spec: str, options: tuple[str, ...], place: str,
) -> None:  # fmt: skip
    write_audit(tmp_path / "mine")
    enter(tmp_path, here, monkeypatch)
    for name, (_, others) in WORKING.items():
        assert command(name, spec, *others, *options).code == 1
        assert command(name, spec, *others, "--out", "chosen").code == 1
    folders = [each.resolve() for each in told]
    assert folders == [Path(place).resolve(), Path("chosen").resolve()] * len(WORKING)


@pytest.mark.parametrize("name", WORKING)
def test_two_places_are_refused(command: Command, tmp_path: Path, told: list[Path], name: str) -> None:
    spec = write_audit(tmp_path / "mine")
    code, out, err = command(name, spec, *WORKING[name][1], "--out", "run", "--runs", "all")
    assert (code, out) == (2, "")
    assert err == "error --runs all and --out run: each says where the run lies; name one of them\n"
    assert not told


@pytest.mark.parametrize("name", WORKING)
def test_no_run_is_made_within_a_run(
    command: Command, tmp_path: Path, finished: Path, told: list[Path], name: str
) -> None:
    received = Path(shutil.copytree(finished / "run", tmp_path / "runs" / "x"))
    before = tree(received)
    code, out, err = command(name, "runs/x/audit.toml", *WORKING[name][1])
    assert (code, out) == (2, "")
    assert err == (
        "error runs/x/audit.toml: is the copy of its spec that the run in runs/x keeps; name the spec itself, "
        "or go on with this run by --out runs/x\n"
    )
    assert tree(received) == before
    assert not told
    for options in (("--out", "runs/x"), ("--runs", "runs")):
        command(name, "runs/x/audit.toml", *WORKING[name][1], *options)
        assert told.pop().resolve() == received


@every_place
def test_whatever_reads_a_run_finds_it_by_its_spec(
    command: Command, tmp_path: Path, finished: Path, monkeypatch: pytest.MonkeyPatch,
    here: str, spec: str, options: tuple[str, ...], place: str,
) -> None:  # fmt: skip
    shutil.copytree(finished / "mine", tmp_path / "mine")
    enter(tmp_path, here, monkeypatch)
    way_out = "start one with `srd-audit run SPEC`, or say with --runs which folder holds it"
    for name in ("status", "report", "verify"):
        assert command(name, spec, *options) == (2, "", f"error {place}: no such run; {way_out}\n")
    shutil.copytree(finished / "run", place)
    for asked in ((spec, *options), (place,), (f"{place}/audit.toml",)):
        assert command("status", *asked).code == 0


def test_report_export_and_compare_find_it_too(
    command: Command, tmp_path: Path, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reports.cli.reporting.write_report", lambda run, tell, draw: run / "page")
    drawn = SimpleNamespace(change=None, unpaired=())
    monkeypatch.setattr("reports.cli.comparing.compare", lambda audits, folder: drawn)
    spec = Path(shutil.copytree(finished / "mine", tmp_path / "mine")) / "small.toml"
    for options, place in (((), tmp_path / "mine" / "runs"), (("--runs", "all"), Path("all"))):
        shutil.copytree(finished / "run", place / "small")
        assert command("report", spec, *options)[:2] == (0, f"{place}/small/page\n")
        assert command("export", spec, f"{len(options)}.nc", *options)[:2] == (0, f"{len(options)}.nc\n")
        assert command("compare", spec, *options)[:2] == (0, f"{place}/comparison/report/index.html\n")
        assert command("compare", spec, *options, "--out", "joint")[:2] == (0, "joint/report/index.html\n")
        next(object_path(place / "small" / "audit.zarr", RECEIPTS).glob("score-*")).unlink()
        code, _, err = command("compare", spec, *options)
        way_out = " ".join(map(str, ("srd-audit run", spec, *options)))
        assert (code, err) == (4, f"error {place / 'small'}: 1 tasks are missing; `{way_out}` continues the run\n")
        code, _, err = command("compare", place / "small")
        assert f"`srd-audit run SPEC --out {place / 'small'}` continues the run" in err


@pytest.mark.parametrize("name", ["status", "report", "verify", "compare", "export"])
def test_of_a_folder_nothing_is_left_to_say(command: Command, tmp_path: Path, finished: Path, name: str) -> None:
    others = {"export": ("run.nc",), "compare": ("--out", "joint")}.get(name, ())
    code, out, err = command(name, finished / "run", *others, "--runs", "all")
    assert (code, out) == (2, "")
    assert err.startswith("error --runs all: ")
    assert "leave it out" in err
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["run", "apop", "manipulate-model"])
def test_no_run_is_made_among_the_images(command: Command, tmp_path: Path, name: str) -> None:
    """Else the next command would read the pictures of the report as those of a class."""
    spec = write_audit(tmp_path / "mine")
    edit(spec, 'path = "images"', 'path = "."')
    if name == "manipulate-model":
        text = spec.read_text(encoding="utf-8")
        table = '[manipulation]\nagainst = "srd"\ngoal = "location_corner"\nsteps = 1\nimages = 3\n'
        spec.write_text(text[: text.index("[[perturbation]]")] + table + text[text.index("[run]") :], encoding="utf-8")
    before = tree(tmp_path)
    code, out, err = command(name, spec, *WORKING[name][1])
    assert (code, out) == (2, "")
    assert f"error {tmp_path}/mine/runs/small: lies in data.path = '.', all of which is read as images" in err
    assert tree(tmp_path) == before


@pytest.mark.parametrize("target", ["audit", "perturb", "attribute", "score", "report", "status", "plan", "verify"])
def test_make_keeps_the_runs_of_all_specs_in_one_folder(target: str) -> None:
    printed = subprocess.run(
        ["make", "--dry-run", target], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    ).stdout
    (line,) = (line for line in printed.splitlines() if line.startswith(".venv/bin/srd-audit "))
    assert " specs/demo.toml --runs runs" in line
