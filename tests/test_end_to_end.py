"""The command line from spec to report, as a user runs it."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from small_audits import SPEC, TASKS, tree, write_audit

from pipeline.execution import worker
from pipeline.plan.tasks import Task
from pipeline.spec.audit import load_spec
from pipeline.stages.compute import compute
from pipeline.stages.context import Context
from pipeline.store.store import Arrays
from reports.cli import main

HEAVY = ("torch", "dask", "distributed", "matplotlib", "seaborn")
Command = Callable[..., "CommandEnd"]


@dataclass(frozen=True)
class CommandEnd:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def words(self) -> str:
        return " ".join(self.out.replace("│", " ").split())


@pytest.fixture
def srd_audit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """Runs the command line in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: object) -> CommandEnd:
        monkeypatch.setattr(sys, "argv", ["srd-audit", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return CommandEnd(int(ended.value.code or 0), captured.out, captured.err)

    return command


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    return write_audit(tmp_path / "audit")


def test_a_run_writes_store_result_summary_and_report(srd_audit: Command, spec: Path) -> None:
    ended = srd_audit("run", spec)
    folder = spec.parent / "runs" / "small"
    assert ended.code == 0, ended.err
    assert ended.out == f"{folder / 'report' / 'index.html'}\n"
    assert "100.0% of 6 clean images are classified as labelled" in ended.err
    assert {
        "audit.toml",
        "audit.zarr",
        "audit.records",
        "audit.json",
        "summary.md",
        "report",
        "report.html",
        "logs",
    } == {path.name for path in folder.iterdir()}
    assert (folder / "audit.toml").read_text(encoding="utf-8") == spec.read_text(encoding="utf-8")
    assert (folder / "report" / "index.html").stat().st_size
    assert (folder / "audit.json").stat().st_size
    assert (folder / "summary.md").stat().st_size
    before = tree(folder)

    again = srd_audit("run", spec)
    assert (again.code, again.out) == (0, ended.out)
    for stage, n in TASKS.items():
        assert f"{stage}: nothing to do, all {n} tasks are done" in again.err
    assert "report: nothing to do" in again.err
    assert "writing report" not in again.err
    assert tree(folder) == before

    (folder / "report" / "index.html").unlink()
    mended = srd_audit("run", spec)
    assert (mended.code, mended.out) == (0, ended.out)
    assert tree(folder) == before

    rendered = srd_audit("report", spec)
    assert (rendered.code, rendered.out) == (0, ended.out)
    assert rendered.err.splitlines()[:2] == ["reading the store ...", "writing report 0 % ..."]
    assert [line.partition(" ")[0] for line in rendered.err.splitlines()[2:]] == ["verdict", "next"]
    assert tree(folder) == before

    status = srd_audit("status", folder)
    assert status.code == 0
    assert all(f"{stage} {n} {n} 0" in status.words for stage, n in TASKS.items())


def test_accuracy_near_chance_is_pointed_out_before_any_work(srd_audit: Command, spec: Path, tmp_path: Path) -> None:
    (spec.parent / "classes.json").write_text('["green", "blue", "red"]', encoding="utf-8")
    ended = srd_audit("run", spec, "--out", tmp_path / "run", "--stage", "perturb")
    first, second, *_ = (line for line in ended.err.splitlines() if not line.endswith("..."))
    assert first == "0.0% of 6 clean images are classified as labelled"
    assert second == (
        "accuracy of 0.0% is near chance (33.3%): check model.classes; model.mean and model.std are not set"
    )


@pytest.mark.slow
def test_stages_one_after_the_other_end_as_all_at_once(srd_audit: Command, spec: Path, tmp_path: Path) -> None:
    for stage in ("perturb", "attribute"):
        ended = srd_audit("run", spec, "--out", tmp_path / "steps", "--stage", stage)
        assert (ended.code, ended.out) == (0, "")
    status = srd_audit("status", tmp_path / "steps")
    assert status.code == 4
    assert "perturb 8 8 0" in status.words
    assert "attribute 6 6 0" in status.words
    assert "score 0 6 6" in status.words
    ended = srd_audit("run", spec, "--out", tmp_path / "steps", "--stage", "score")
    assert (ended.code, ended.out) == (0, "")
    assert {path.name for path in (tmp_path / "steps").iterdir()} == {
        "audit.toml",
        "audit.zarr",
        "audit.records",
        "logs",
    }
    ended = srd_audit("report", tmp_path / "steps")
    assert (ended.code, ended.out.strip()) == (0, str(tmp_path / "steps" / "report" / "index.html"))
    assert srd_audit("run", spec, "--out", tmp_path / "once").code == 0
    assert tree(tmp_path / "steps") == tree(tmp_path / "once")


@pytest.mark.slow
def test_a_failing_task_ends_with_exit_code_4_and_the_next_run_completes(
    srd_audit: Command, spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(context: Context, task: Task) -> Arrays:
        if (task.stage, task.column) == ("attribute", 1):
            raise FloatingPointError("on purpose")
        return compute(context, task)

    with monkeypatch.context() as patched:
        patched.setattr(worker, "compute", failing)
        ended = srd_audit("run", spec, "--out", "run")
    assert (ended.code, ended.out) == (4, "run/report/index.html\n")
    cause = "attribute-00000-01 failed: FloatingPointError: on purpose"
    assert f"error 2 tasks failed, the first: {cause}; 4 tasks that read from these were not run" in ended.err
    assert "Traceback" not in ended.err
    page = Path("run/report/index.html").read_text(encoding="utf-8")
    assert "INCOMPLETE" in page
    assert page.count("FloatingPointError: on purpose") == 2
    status = srd_audit("status", "run")
    assert status.code == 4
    assert "attribute 4 6 2" in status.words
    assert srd_audit("run", spec, "--out", "run").code == 0
    assert srd_audit("status", "run").code == 0
    assert "FloatingPointError" not in Path("run/report/index.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_parts_of_a_run_write_no_report_and_the_last_command_does_the_rest(
    srd_audit: Command, spec: Path, tmp_path: Path
) -> None:
    for part, code in (("2/2", 4), ("1/2", 0), ("2/2", 0)):
        ended = srd_audit("run", spec, "--out", "run", "--part", part)
        assert (ended.code, ended.out) == (code, "")
        assert ("tasks wait for the output of other parts, the first: score-" in ended.err) == (code == 4)
    assert "attribute 6 6 0" in srd_audit("status", "run").words
    assert srd_audit("run", spec, "--out", "run").code == 0
    assert srd_audit("run", spec, "--out", "once").code == 0
    assert tree(tmp_path / "run") == tree(tmp_path / "once")
    for wrong in ("0/2", "3/2", "2", "a/b"):
        ended = srd_audit("run", spec, "--out", "run", "--part", wrong)
        assert ended.code == 2
        assert "is no part; write 1/20 to 20/20" in ended.err


def test_a_full_disk_ends_with_exit_code_5_and_one_message(
    srd_audit: Command, spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(context: Context, task: Task) -> Arrays:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(worker, "compute", full)
    ended = srd_audit("run", spec, "--out", "run")
    assert ended.code == 5
    assert "error [Errno 28] No space left on device" in ended.err
    assert "Traceback" not in ended.err


def test_a_spec_may_lie_in_the_folder_of_its_run(srd_audit: Command, spec: Path, tmp_path: Path) -> None:
    inside = spec.rename(spec.with_name("audit.toml"))
    for _ in range(2):
        ended = srd_audit("run", inside, "--out", inside.parent, "--stage", "perturb")
        assert ended.code == 0, ended.err
    assert inside.read_text(encoding="utf-8") == SPEC


def test_init_writes_a_spec_that_can_be_read(srd_audit: Command, tmp_path: Path) -> None:
    ended = srd_audit("init", "mine.toml")
    assert (ended.code, ended.out) == (0, "mine.toml\n")
    assert ended.err == "written; once it names your network and your images: srd-audit run mine.toml\n"
    spec = load_spec(tmp_path / "mine.toml")
    assert spec.model.spec == "network.py:build"
    assert srd_audit("init").out == "audit.toml\n"


@pytest.mark.parametrize("command", ["methods", "perturbations", "metrics"])
def test_lists_name_every_entry(srd_audit: Command, command: str) -> None:
    from attacks.registry import PERTURBATIONS
    from srd.registry import ATTRIBUTORS, METRICS

    ended = srd_audit(command)
    entries: dict[str, Any] = {"methods": ATTRIBUTORS, "perturbations": PERTURBATIONS, "metrics": METRICS}
    assert (ended.code, ended.err) == (0, "")
    assert all(name in ended.out for name in entries[command])


def test_without_a_command_there_is_help(srd_audit: Command) -> None:
    assert "Usage" in srd_audit("--help").out
    assert srd_audit("--help").code == 0
    assert "Usage" in srd_audit().out
    assert "Traceback" not in srd_audit().err


LIGHT = [
    "--help",
    "methods",
    "perturbations",
    "metrics",
    "run --help",
    "plan --help",
    "init spec.toml",
    "status run",
    "run no.toml --stage x",
]


@pytest.mark.slow
def test_light_commands_import_nothing_heavy(srd_audit: Command, spec: Path, tmp_path: Path) -> None:
    assert srd_audit("run", spec, "--out", tmp_path / "run", "--stage", "perturb").code == 0
    for command in LIGHT:
        assert not imported(command, tmp_path).intersection(HEAVY), command


@pytest.mark.slow
def test_a_run_on_workers_imports_no_torch_where_it_is_scheduled(spec: Path, tmp_path: Path) -> None:
    modules = imported(f"run {spec} --workers 1", tmp_path)
    assert "distributed" in modules
    assert "seaborn" in modules
    assert "torch" not in modules


def imported(command: str, folder: Path) -> set[str]:
    """Modules that a command imports in its own process, begun in `folder`."""
    code = f"""
import sys

if __name__ == "__main__":
    sys.argv = ["srd-audit", *{command.split()!r}]
    from reports.cli import main

    try:
        main()
    except SystemExit:
        print(*sys.modules, end="")
"""
    script = folder / "command.py"
    script.write_text(code, encoding="utf-8")
    ended = subprocess.run([sys.executable, script], capture_output=True, encoding="utf-8", cwd=folder, check=True)
    return set(ended.stdout.rpartition("\n")[2].split())
