"""What the command line offers to people and to programs: version, help, completion, settings, JSON, silence."""

import json
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from command_line import Command
from small_audits import copy_store, edit, tree, write_audit

from pipeline.spec.audit import load_spec
from pipeline.store.runs import location_of
from pipeline.store.store import attributes
from reports.cli.app import app

ROWS, COLUMNS = 40, 80
CALLBACKS = [each.callback for each in app.registered_commands if each.callback]
COMMANDS = [each.__name__.replace("_", "-") for each in CALLBACKS]
HEAVY = ("torch", "scipy", "pandas", "xarray", "matplotlib", "dask")
PROGRAM = """
import sys
from reports.cli import main

try:
    main()
except SystemExit as end:
    print(end.code, sorted({name.partition(".")[0] for name in sys.modules}))
"""


def imported(*arguments: object) -> tuple[str, set[str]]:
    """Return the exit code of a command in a process of its own, and the packages that it imported."""
    command = [sys.executable, "-P", "-c", PROGRAM, *map(str, arguments)]
    end = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    code, _, packages = end.stdout.splitlines()[-1].partition(" ")
    return code, set(json.loads(packages.replace("'", '"')))


def test_the_version_is_that_of_the_distribution(command: Command) -> None:
    assert command("--version") == (0, f"srd-audit {version('srd-audit')}\n", "")


def test_the_help_of_all_commands_fits_a_small_terminal(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    end = command("--help")
    assert (end.code, end.err) == (0, "")
    assert len(end.out.splitlines()) <= 30
    assert all(f"  {name} " in end.out for name in COMMANDS)
    assert "..." not in end.out.partition("Commands:")[2]  # no summary is cut
    nothing = command()
    assert (nothing.code, nothing.out.splitlines()) == (2, end.out.splitlines())


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_each_command_fits_a_screen(command: Command, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    end = command(name, "--help")
    assert end.code == 0
    assert len(end.out.splitlines()) <= ROWS
    assert max(map(len, end.out.splitlines())) <= COLUMNS


@pytest.mark.parametrize(("typed", "offered"), [("re", ["report"]), ("co", ["compare", "concepts"])])
def test_a_shell_is_told_how_to_complete(
    command: Command, monkeypatch: pytest.MonkeyPatch, typed: str, offered: list[str]
) -> None:
    monkeypatch.setenv("_SRD_AUDIT_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"srd-audit {typed}")
    monkeypatch.setenv("COMP_CWORD", "1")
    end = command()
    assert (end.code, end.out.split(), end.err) == (0, offered, "")


@pytest.mark.slow
def test_help_and_status_import_little(tmp_path: Path) -> None:
    code, packages = imported("--help")
    assert code == "0"
    assert not packages & {*HEAVY, "zarr", "numpy", "pydantic"}
    code, packages = imported("status", tmp_path)
    assert code == "2"
    assert not packages & set(HEAVY)
    code, packages = imported("inspect", "demo:vgg", "--data", "none")  # refused by another process
    assert code == "2"
    assert not packages & set(HEAVY)


def test_settings_are_kept_with_the_run(command: Command, tmp_path: Path) -> None:
    spec = write_audit(tmp_path / "audit")
    untouched = spec.read_text(encoding="utf-8")
    end = command("run", spec, "--out", "run", "--stage", "perturb", "--set", "run.seed=5", "--set",
                  'perturbation.pgd.strengths=["4/255"]')  # fmt: skip
    assert (end.code, end.out) == (0, "")
    copy = tmp_path / "run" / "audit.toml"
    assert copy.read_text(encoding="utf-8").splitlines()[:3] == [
        f"# {spec.name} as changed by", "# --set run.seed=5", '# --set perturbation.pgd.strengths=["4/255"]'
    ]  # fmt: skip
    stored = attributes(location_of(tmp_path / "run")).fingerprinted.spec
    assert stored == load_spec(copy)
    assert (stored.run.seed, stored.perturbation[1].strengths[0].text) == (5, "4/255")
    assert tomllib.loads(copy.read_text(encoding="utf-8"))["data"] == tomllib.loads(untouched)["data"]
    assert spec.read_text(encoding="utf-8") == untouched
    again = ("run", spec, "--out", "run", "--stage", "perturb")
    assert command(*again, "--set", "run.seed=5", "--set", 'perturbation.pgd.strengths=["4/255"]').code == 0
    assert command(*again).code == 2  # without them it is another run


def test_a_changed_spec_is_not_written_over_the_users_own(command: Command, tmp_path: Path) -> None:
    spec = write_audit(tmp_path / "audit").rename(tmp_path / "audit" / "audit.toml")
    before = tree(tmp_path / "audit")
    end = command("run", spec, "--out", "audit", "--set", "run.seed=5", "--stage", "perturb")
    assert (end.code, end.out) == (2, "")
    assert end.err.endswith(
        f"error --set run.seed=5: {spec} lies where the changed copy goes; write it into the spec, or name another "
        "folder with --out\n"
    )
    assert tree(tmp_path / "audit") == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("run", "SPEC", "--set", "run.seed"), "--set 'run.seed': is no setting; write KEY=VALUE"),
        (("run", "SPEC", "--set", "run.sead=1"), "with --set run.sead=1: run.sead: unknown key; did you mean 'seed'?"),
        (("plan", "SPEC", "--set", "run.seed=x"), "'x' is no value of TOML"),
        (("verify", "FOLDER", "--set", "run.seed=1"), "keeps the spec that was run; leave it out"),
    ],
)
def test_a_wrong_setting_is_refused_before_any_work(
    command: Command, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    spec = write_audit(tmp_path / "audit")
    (tmp_path / "run").mkdir()
    named = {"SPEC": spec, "FOLDER": tmp_path / "run"}
    end = command(*(named.get(each, each) for each in arguments))
    assert (end.code, end.out) == (2, "")
    assert told in end.err
    assert not (spec.parent / "runs").exists()


def test_status_and_a_stage_print_one_object(command: Command, tmp_path: Path) -> None:
    spec = write_audit(tmp_path / "audit")
    end = command("run", spec, "--out", "run", "--stage", "perturb", "--json", "--quiet")
    assert (end.code, end.err) == (0, "")
    told = json.loads(end.out)
    assert told == json.loads(command("status", "run", "--json").out)
    assert command("status", "run", "--json").code == 4
    assert (told["folder"], told["is_complete"]) == ("run", False)
    (audit,) = told["audits"]
    assert audit["stages"]["perturb"]["done"] == audit["stages"]["perturb"]["planned"] > 0
    assert audit["failures"] == {}


def test_a_quiet_command_still_says_why_it_refuses(command: Command, tmp_path: Path) -> None:
    spec = edit(write_audit(tmp_path / "audit"), "weights.pt", "nothing.pt")
    end = command("run", spec, "--out", "run", "--quiet")
    assert (end.code, end.out) == (2, "")
    (line,) = end.err.splitlines()
    assert line.startswith("error ")
    assert "nothing.pt" in line


@pytest.mark.slow
def test_the_end_of_a_report_is_verdict_path_and_next_step(command: Command, folder: Path, tmp_path: Path) -> None:
    copy_store(folder / "audit.zarr", tmp_path / "run" / "audit.zarr")
    end = command("report", "run")
    assert (end.code, end.out) == (0, "run/report/index.html\n")
    *_, verdict, step = end.err.splitlines()
    saved = json.loads((tmp_path / "run" / "audit.json").read_text(encoding="utf-8"))
    outcome = saved["audit_verdict"]["outcome"]
    assert verdict.startswith(f"verdict  {outcome}: ")
    assert step.startswith("next     srd-audit check run ")
    quiet = command("report", "run", "--quiet", "--json")
    assert (quiet.code, quiet.err) == (0, "")
    told = json.loads(quiet.out)
    (audit,) = told["audits"]
    assert (told["report"], audit["outcome"], audit["result"]) == ("run/report/index.html", outcome, "run/audit.json")
    assert verdict == f"verdict  {audit['sentence']}"
