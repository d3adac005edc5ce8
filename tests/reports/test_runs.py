"""The place of a run: its spec, `--runs` and `--out` decide it, never the folder in which a command is called."""

from pathlib import Path

import pytest
from small_audits import edit, write_audit

from pipeline.spec.data import DataSpec
from reports.runs import comparison_place, folder_for, folder_of, keeper_of, place_of, refuse_among_images
from srd.errors import InputError, StoreError

BESIDE = [
    ("small.toml", "mine", "runs/small"),
    ("audit.toml", "mine", "runs/mine"),
    ("../mine/audit.toml", "mine", "../mine/runs/mine"),
    ("mine/small.toml", ".", "mine/runs/small"),
    ("mine/audit.toml", ".", "mine/runs/mine"),
    ("mine/sub/../audit.toml", ".", "mine/sub/../runs/mine"),
    ("mine/audit.v2.toml", ".", "mine/runs/audit.v2"),
    ("/audit.toml", ".", "/runs/audit"),
    ("/small.toml", ".", "/runs/small"),
]


@pytest.mark.parametrize(("spec", "here", "place"), BESIDE)
def test_a_run_lies_beside_its_spec(
    spec: str, here: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine" / "sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / here)
    assert place_of(Path(spec)) == folder_for(Path(spec), None, None) == Path(place)


@pytest.mark.parametrize(("spec", "name"), [(spec, Path(place).name) for spec, _, place in BESIDE if "/mine/" in place])
@pytest.mark.parametrize("runs", ["runs", "elsewhere/runs", ".", ".."])
def test_the_folder_of_all_runs_can_be_named(spec: str, name: str, runs: str, tmp_path: Path) -> None:
    assert folder_for(tmp_path / spec, tmp_path / runs, None) == tmp_path / runs / name


@pytest.mark.parametrize("spec", ["small.toml", "mine/audit.toml", "/audit.toml"])
@pytest.mark.parametrize("out", ["run", ".", "/run"])
def test_the_folder_of_the_run_can_be_named(spec: str, out: str) -> None:
    assert folder_for(Path(spec), None, Path(out)) == Path(out)


@pytest.mark.parametrize("spec", ["small.toml", "mine/audit.toml", "nowhere/no.toml"])
def test_two_places_are_refused_by_name(spec: str) -> None:
    with pytest.raises(InputError, match=r"--runs all and --out one: each says where the run lies; name one of them"):
        folder_for(Path(spec), Path("all"), Path("one"))


@pytest.mark.parametrize(
    ("taken", "given"),
    [
        ("mine/runs", (None, None)),
        ("mine/runs/small", (None, None)),
        ("all", ("all", None)),
        ("all/small", ("all", None)),
        ("out", (None, "out")),
        ("out", (None, "out/run")),
    ],
)
def test_a_file_where_the_folder_goes_is_refused(
    taken: str, given: tuple[str | None, str | None], tmp_path: Path
) -> None:
    (tmp_path / taken).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / taken).write_text("")
    runs, out = (None if each is None else tmp_path / each for each in given)
    with pytest.raises(InputError, match=rf"{tmp_path / taken}: is a file; name a folder with --out or --runs"):
        folder_for(tmp_path / "mine" / "small.toml", runs, out)


def test_a_run_is_found_where_it_was_made(tmp_path: Path) -> None:
    for spec, runs in (
        (tmp_path / "small.toml", None),
        (tmp_path / "audit.toml", None),
        (tmp_path / "a.toml", tmp_path),
    ):
        with pytest.raises(StoreError, match=r"no such run; .* or say with --runs which folder holds it"):
            folder_of(spec, runs)
        made = folder_for(spec, runs, None)
        made.mkdir(parents=True)
        assert folder_of(spec, runs) == folder_of(made) == made


def test_of_a_folder_nothing_is_left_to_say(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"--runs all: {tmp_path} is the run's folder already; leave it out"):
        folder_of(tmp_path, Path("all"))


MARKS = ["audit.zarr", "logs/runs.jsonl", "one/audit.zarr", "one/logs/runs.jsonl"]


@pytest.mark.parametrize("mark", MARKS)
def test_the_copy_that_a_run_keeps_is_known(mark: str, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "x"
    copy = write_audit(folder).rename(folder / "audit.toml")
    if mark.startswith("one/"):
        for table in ("model", "data"):
            edit(copy, f"[{table}]", f"[subject.one.{table}]")
    assert keeper_of(copy) is None, "a spec of its own, in a folder where nothing ran"
    (folder / mark).parent.mkdir(parents=True, exist_ok=True)
    (folder / mark).touch()
    (folder / "report").mkdir()
    sent = folder / "report" / "audit.toml"
    for spec in (copy, sent):
        assert keeper_of(spec) == folder_of(spec) == folder
        with pytest.raises(InputError, match=f"{spec}: is the copy of its spec that the run in {folder} keeps; name "):
            folder_for(spec, None, None)
        assert folder_for(spec, None, folder) == folder
        assert folder_for(spec, tmp_path / "all", None) == tmp_path / "all" / spec.parent.name
    assert folder_for(copy, folder.parent, None) == folder
    assert keeper_of(folder / "small.toml") is None


@pytest.mark.parametrize("content", ["no TOML", "[subject]", "[subject.one.model]\nspec = 3"])
def test_a_spec_that_cannot_be_read_is_no_copy(content: str, tmp_path: Path) -> None:
    (tmp_path / "audit.toml").write_text(content)
    assert keeper_of(tmp_path / "audit.toml") is None


@pytest.mark.parametrize(
    ("data", "folder"),
    [(".", "runs/small"), ("images", "images/runs/small"), ("images", "images"), ("../mine", "a/../b")],
)
def test_no_run_is_made_among_the_images(data: str, folder: str, tmp_path: Path) -> None:
    base = tmp_path / "mine"
    with pytest.raises(InputError, match="all of which is read as images; name another folder with --out or --runs"):
        refuse_among_images(base / folder, DataSpec(path=data), base)


@pytest.mark.parametrize(("data", "folder"), [("images", "runs/small"), ("images", "images2"), ("demo:shapes", ".")])
def test_a_run_may_lie_beside_the_images(data: str, folder: str, tmp_path: Path) -> None:
    refuse_among_images(tmp_path / folder, DataSpec(path=data), tmp_path)


def test_a_comparison_lies_beside_its_first_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = write_audit(tmp_path / "mine")
    for table in ("model", "data"):
        edit(spec, f"[{table}]", f"[subject.one.{table}]")
    run = place_of(spec)
    (run / "one" / "audit.zarr").mkdir(parents=True)
    (run / "audit.toml").write_text(spec.read_text())
    beside = tmp_path / "mine" / "runs" / "comparison"
    assert {comparison_place(each, None) for each in (spec, run, run / "one", run / "audit.toml")} == {beside}
    assert comparison_place(spec, tmp_path / "all") == tmp_path / "all" / "comparison"
    for here, name, place in (
        (run, ".", beside),
        (run.parent, "small", Path("comparison")),
        (run / "one", "..", beside),
    ):
        monkeypatch.chdir(here)
        assert comparison_place(Path(name), None) == place
