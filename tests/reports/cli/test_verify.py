"""`srd-audit verify`: what it finds, where it says so, and how a damaged run is mended."""

import json
import shutil
from pathlib import Path

import pytest
from audit_processes import start_command, wait_for_end
from command_line import Command
from forgery import forge_fingerprint, forge_manifest
from made_once import made_once
from small_audits import TASKS, change_sources, edit, tree, write_audit

from pipeline.store.receipts import METADATA

pytestmark = pytest.mark.slow

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
    assert "Verified" not in PAGE.read_text(encoding="utf-8")
    code, out, err = command("verify", spec, "--out", "run", "--sample", 1)
    assert (code, err) == (0, "")
    assert f"{N_TASKS} of {N_TASKS} tasks hold what their receipts say" in " ".join(out.split())
    assert "Verified: what is stored against its receipts" in PAGE.read_text(encoding="utf-8")
    assert tree(Path("run/audit.zarr")) == before


def test_a_stage_of_other_code_is_named_and_not_done_again(
    command: Command, spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_sources(monkeypatch, "srd/metrics/share_90.py")
    code, out, err = command("verify", spec, "--out", "run", "--sample", 1)
    assert (code, err) == (0, "")
    assert "score: no task was done again, its sources are not those that made the store" in " ".join(out.split())
    assert "of other code, not done again: score" in PAGE.read_text(encoding="utf-8")


def test_a_damaged_run_is_named_and_mended_by_the_next_run(command: Command, spec: Path) -> None:
    whole = tree(Path("run/audit.zarr"))
    for array in ("input", "attribution", "score"):
        shard = next(file for file in sorted(Path(f"run/audit.zarr/{array}/c").rglob("*")) if file.is_file())
        shard.write_bytes(shard.read_bytes()[:-9])
    code, out, err = command("verify", spec, "--out", "run")
    assert code == 3
    for task in ("perturb-00000-00", "attribute-00000-00", "score-00000-00"):
        assert f"{task}: " in out
    assert err == "error run: 3 tasks are damaged; `--repair` has them done again by the next run\n"
    code, _, err = command("report", "run")
    assert code == 3
    assert "score-00000-00" in err
    assert "`srd-audit verify --repair` finds all damage and has it mended by the next run" in err
    code, _, err = command("verify", spec, "--out", "run", "--repair")
    assert (code, err) == (4, "error run: 3 tasks are to be done again; run the same spec\n")
    assert command("run", spec, "--out", "run").code == 0
    assert tree(Path("run/audit.zarr")) == whole
    assert "Verified" not in PAGE.read_text(encoding="utf-8")
    assert command("verify", spec, "--out", "run").code == 0
    assert "PASS" in PAGE.read_text(encoding="utf-8")


def test_an_unfinished_run_is_verified_as_far_as_it_goes(command: Command, tmp_path: Path) -> None:
    spec = write_audit(tmp_path / "audit")
    assert command("run", spec, "--out", "run", "--stage", "perturb").code == 0
    for arguments in (("verify", "run"), ("verify", spec, "--out", "run")):
        code, out, err = command(*arguments)
        assert (code, err) == (4, f"error run: {N_TASKS - TASKS['perturb']} tasks are missing; run the same spec\n")
        assert f"{TASKS['perturb']} of {TASKS['perturb']} tasks hold" in " ".join(out.split())


def booby_trap(folder: Path) -> Path:
    """Write a network that leaves a mark where it is imported, and return the path of the mark."""
    mark = folder.resolve() / "imported"
    (folder / "trap.py").write_text(f"open({str(mark)!r}, 'w')\n", encoding="utf-8")
    return mark


def rename_network(store: Path, network: str) -> None:
    """Have the store say that its network is another one, with digests that agree: whoever sends it can write all."""
    metadata = store / METADATA
    content = json.loads(metadata.read_text(encoding="utf-8"))
    content["attributes"]["fingerprinted"]["spec"]["model"]["spec"] = network
    metadata.write_text(json.dumps(content), encoding="utf-8")
    forge_fingerprint(store)
    forge_manifest(store)


def test_of_a_folder_alone_only_bytes_are_checked(command: Command, spec: Path) -> None:
    """Neither its spec, its store nor its logs say what code runs."""
    run = Path("run")
    mark = booby_trap(run)
    shutil.rmtree(spec.parent)
    network = f"{run.resolve() / 'trap.py'}:build"
    edit(run / "audit.toml", "network.py:build", network)
    rename_network(run / "audit.zarr", network)
    (run / "logs" / "runs.jsonl").write_text(
        json.dumps({"spec": str(run.resolve() / "audit.toml")}) + "\n", encoding="utf-8"
    )
    before = tree(run)
    code, out, err = command("verify", "run")
    assert (code, err) == (0, "")
    assert f"{N_TASKS} of {N_TASKS} tasks hold what their receipts say" in out
    assert out.endswith("not recomputed; authorship unproven: name your own spec, or --source DIR\n")
    assert tree(run) == before
    for arguments in (("status", "run"), ("report", "run"), ("compare", "run"), ("export", "run", "run.nc")):
        assert command(*arguments).code == 0
    assert not mark.exists()


def test_of_a_damaged_folder_no_code_is_run(command: Command, spec: Path) -> None:
    mark = booby_trap(spec.parent)
    (spec.parent / "trap.py").replace(spec.parent / "network.py")
    shard = next(file for file in sorted(Path("run/audit.zarr/score/c").rglob("*")) if file.is_file())
    shard.write_bytes(shard.read_bytes()[:-9])
    source = ("--source", spec.parent)
    for arguments in (("verify", "run"), ("verify", "run", *source), ("verify", spec, "--out", "run")):
        code, out, err = command(*arguments)
        assert (code, err) == (3, "error run: 1 tasks are damaged; `--repair` has them done again by the next run\n")
        assert "score-00000-00: " in out
    assert not mark.exists()
    assert command("verify", "run", "--repair").code == 4
    assert command("verify", "run").code == 4


def test_with_a_folder_of_your_own_the_spec_of_the_store_is_done_again(command: Command, spec: Path) -> None:
    Path("run/logs/runs.jsonl").unlink()
    Path("run/audit.toml").unlink()
    code, out, err = command("verify", "run", "--source", spec.parent, "--sample", 1)
    assert (code, err) == (0, "")
    assert "done again on" in out
    assert "Verified: what is stored against its receipts" in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("network", ["{run}/trap.py:build", "../run/trap.py:build", "link/trap.py:build", "trap:build"])
def test_code_that_lies_outside_your_folder_is_not_run(command: Command, spec: Path, network: str) -> None:
    mark = booby_trap(Path("run"))
    (spec.parent / "link").symlink_to(Path("run").resolve())
    rename_network(Path("run/audit.zarr"), network.format(run=Path("run").resolve()))
    code, _, err = command("verify", "run", "--source", spec.parent)
    assert code == 2
    assert f"is no file below --source {spec.parent.resolve()}; verify your own spec" in err
    assert not mark.exists()


def test_another_network_than_that_of_the_run_is_refused(command: Command, spec: Path) -> None:
    edit(spec.parent / "network.py", "def build(", "# another file\ndef build(")
    for arguments in (("verify", "run", "--source", spec.parent), ("verify", spec, "--out", "run")):
        code, _, err = command(*arguments)
        assert code == 2
        assert "was made by another audit (it differs in: network" in err


UNUSED = [
    (("small.toml", "--source", "."), "--source .: small.toml says itself where its network lies"),
    (("run", "--out", "run"), "--out run: run is the run's folder already"),
    (("run", "--source", "nowhere"), "--source nowhere: no such folder"),
]


@pytest.mark.parametrize(("arguments", "message"), UNUSED)
def test_an_option_of_the_other_form_is_refused(
    command: Command, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    (tmp_path / "run").mkdir()
    code, _, err = command("verify", *arguments)
    assert code == 2
    assert message in err


SLOW = ("other_class", "target_image")


@pytest.mark.parametrize("array", ["label", "target", *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_what_was_prepared_is_not_read_once_it_is_gone(command: Command, spec: Path, array: str) -> None:
    """Without its object an array reads as zeros."""
    for file in Path(f"run/audit.zarr/{array}/c").iterdir():
        file.unlink()
    for arguments in (("report", "run"), ("verify", "run"), ("verify", spec, "--out", "run", "--sample", 0)):
        code, _, err = command(*arguments)
        assert code == 3, arguments
        assert f"{array}/c/0 is not what was prepared; run the same spec, which mends it" in err
    assert command("run", spec, "--out", "run").code == 0
    assert command("verify", spec, "--out", "run").code == 0


@pytest.mark.parametrize("array", ["prediction", "scale", "score", "reason"])
def test_no_report_is_made_of_what_was_lost(command: Command, spec: Path, array: str) -> None:
    next(file for file in sorted(Path(f"run/audit.zarr/{array}/c").rglob("*")) if file.is_file()).unlink()
    for arguments in (("report", "run"), ("export", "run", "results.nc")):
        code, _, err = command(*arguments)
        assert code == 3, arguments
        assert f"{array} is " in err
        assert "`srd-audit verify --repair`" in err
