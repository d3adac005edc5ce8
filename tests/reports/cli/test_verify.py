"""`srd-audit verify`: what it finds, where it says so, and how a damaged run is mended."""

import shutil
from pathlib import Path

import pytest
from audit_processes import start_command, wait_for_end
from command_line import Command
from made_once import made_once
from small_audits import TASKS, tree, write_audit

N_TASKS = sum(TASKS.values())
PAGE = Path("run/report/index.html")


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an audit and its finished run."""

    def make(home: Path) -> None:
        end = wait_for_end(start_command("run", write_audit(home / "audit"), "--out", "run", folder=home))
        assert end.code == 0, end.err

    return made_once(tmp_path_factory, "verified", make)


@pytest.fixture
def spec(finished_run: Path, tmp_path: Path) -> Path:
    """Of a finished run in the folder `run`, which a test may damage."""
    shutil.copytree(finished_run, tmp_path, dirs_exist_ok=True)
    return tmp_path / "audit" / "small.toml"


def test_a_sound_run_passes_and_its_report_says_so(command: Command, spec: Path) -> None:
    before = tree(Path("run/audit.zarr"))
    assert "Verified" not in PAGE.read_text()
    code, out, err = command("verify", "run", "--sample", 1)
    assert (code, err) == (0, "")
    assert f"{N_TASKS} of {N_TASKS} tasks hold what their receipts say" in " ".join(out.split())
    assert "Verified: what is stored against its receipts" in PAGE.read_text()
    assert tree(Path("run/audit.zarr")) == before


def test_a_damaged_run_is_named_and_mended_by_the_next_run(command: Command, spec: Path) -> None:
    whole = tree(Path("run/audit.zarr"))
    for array in ("input", "attribution", "score"):
        shard = next(file for file in sorted(Path(f"run/audit.zarr/{array}/c").rglob("*")) if file.is_file())
        shard.write_bytes(shard.read_bytes()[:-9])
    code, out, err = command("verify", "run")
    assert code == 3
    for task in ("perturb-00000-00", "attribute-00000-00", "score-00000-00"):
        assert f"{task}: " in out
    assert err == "error run: 3 tasks are damaged; `--repair` has them done again by the next run\n"
    code, _, err = command("report", "run")
    assert code == 2
    assert "score-00000-00" in err
    assert "`srd-audit verify --repair` finds all damage and has it mended by the next run" in err
    code, _, err = command("verify", "run", "--repair")
    assert (code, err) == (4, "error run: 3 tasks are to be done again; run the same spec\n")
    assert command("run", spec, "--out", "run").code == 0
    assert tree(Path("run/audit.zarr")) == whole
    assert "Verified" not in PAGE.read_text()
    assert command("verify", "run").code == 0
    assert "PASS" in PAGE.read_text()


def test_an_unfinished_run_is_verified_as_far_as_it_goes(command: Command, tmp_path: Path) -> None:
    assert command("run", write_audit(tmp_path / "audit"), "--out", "run", "--stage", "perturb").code == 0
    code, out, err = command("verify", "run")
    assert (code, err) == (4, f"error run: {N_TASKS - TASKS['perturb']} tasks are missing; run the same spec\n")
    assert f"{TASKS['perturb']} of {TASKS['perturb']} tasks hold" in " ".join(out.split())


def test_without_its_logs_a_run_does_not_know_where_its_spec_lay(command: Command, spec: Path) -> None:
    (Path("run") / "logs" / "runs.jsonl").unlink()
    code, _, err = command("verify", "run")
    assert code == 2
    assert "runs.jsonl: is missing" in err


SLOW = ("other_class", "target_image")


@pytest.mark.parametrize("array", ["label", "target", *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_what_was_prepared_is_not_read_once_it_is_gone(command: Command, spec: Path, array: str) -> None:
    """Without its object an array reads as zeros."""
    for file in Path(f"run/audit.zarr/{array}/c").iterdir():
        file.unlink()
    for arguments in (("report", "run"), ("verify", "run", "--sample", 0)):
        code, _, err = command(*arguments)
        assert code == 2, arguments
        assert f"{array} is not what was prepared; run the same spec, which mends it" in err
    assert command("run", spec, "--out", "run").code == 0
    assert command("verify", "run").code == 0


@pytest.mark.parametrize("array", ["prediction", "scale", "score", "reason"])
def test_no_report_is_made_of_what_was_lost(command: Command, spec: Path, array: str) -> None:
    next(file for file in sorted(Path(f"run/audit.zarr/{array}/c").rglob("*")) if file.is_file()).unlink()
    for arguments in (("report", "run"), ("export", "run", "results.nc")):
        code, _, err = command(*arguments)
        assert code == 2, arguments
        assert f"{array} is " in err
        assert "`srd-audit verify --repair`" in err
