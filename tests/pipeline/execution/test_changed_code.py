"""A change of one file of each kind, in a copy of the sources: what is done again, and that nothing else differs."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from made_once import made_once
from small_audits import edit, tree

from pipeline.machine.sources import OURS, ROOT

pytestmark = pytest.mark.slow

SPEC = """
[model]
spec = "demo:vgg"
[data]
path = "demo:shapes"
n = 4
[explain]
methods = ["saliency", "srd"]
[[perturbation]]
name = "gaussian_noise"
strengths = [0.1]
[run]
tile = 3
"""
"""Two tiles, the second of which holds one image."""
MAIN = "from reports.cli import main; main()"
NOTHING: tuple[str, ...] = ()
ALL = ("perturb", "attribute", "occlude", "remove", "randomise", "score")


def tasks_of(stages: tuple[str, ...]) -> list[str]:
    """Return the stage of each task: on each of two tiles one that occludes, and two of any other stage."""
    return [stage for stage in stages for _ in range(2 if stage == "occlude" else 4)]


@dataclass(frozen=True)
class Copy:
    """A copy of the sources, and the folder of the runs that are made with it."""

    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "root"

    def run(self, name: str, *options: str) -> str:
        """Run the audit up to its scores; return what the terminal says."""
        command = [sys.executable, "-P", "-c", MAIN, "run", "audit.toml", "--out", name, "--stage", "score", *options]
        environment = os.environ | {"PYTHONPATH": str(self.root), "OMP_NUM_THREADS": "1"}
        ended = subprocess.run(
            command, cwd=self.folder, env=environment, timeout=300, capture_output=True, encoding="utf-8", check=False
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout + ended.stderr

    def done(self, name: str) -> list[str]:
        lines = (self.folder / name / "logs" / "tasks.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line)["stage"] for line in lines]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def make(home: Path) -> None:
        ignored = shutil.ignore_patterns("__pycache__")
        for package in OURS:
            shutil.copytree(ROOT / package, home / "root" / package, ignore=ignored)
        (home / "audit.toml").write_text(SPEC, encoding="utf-8")
        assert Copy(home).run("run").count("done again") == 0
        assert Copy(home).done("run") == tasks_of(ALL)

    return made_once(tmp_path_factory, "changed_code", make)


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Copy:
    shutil.copytree(made, tmp_path / "copy")
    return Copy(tmp_path / "copy")


def comment(file: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        (root / file).write_text((root / file).read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")

    return change


def scores_otherwise(root: Path) -> None:
    edit(root / "srd/metrics/share_90.py", "(10 * held < 9 * whole)", "(10 * held < 5 * whole)")


def adds_a_metric(root: Path) -> None:
    text = (root / "srd/metrics/share_90.py").read_text(encoding="utf-8")
    (root / "srd/metrics/share_50.py").write_text(
        text.replace("share_90", "share_50").replace("9 * whole", "5 * whole"), encoding="utf-8"
    )


def removes_a_metric(root: Path) -> None:
    (root / "srd/metrics/share_90.py").unlink()


def adds_a_method(root: Path) -> None:
    text = (root / "srd/baselines/saliency.py").read_text(encoding="utf-8")
    (root / "srd/baselines/shyness.py").write_text(text.replace("saliency", "shyness"), encoding="utf-8")


def makes_more_noise(root: Path) -> None:
    edit(
        root / "attacks/corruptions/noise.py", "image + sigma * standard_normal", "image + 2 * sigma * standard_normal"
    )


CHANGES = {
    "metric": (scores_otherwise, ("score",), "score is done again: srd/metrics/share_90.py changed"),
    "new metric": (adds_a_metric, ("score",), "score is done again: srd/metrics/share_50.py changed"),
    "metric less": (removes_a_metric, ("score",), "score is done again: srd/metrics/share_90.py changed"),
    "rules": (
        comment("srd/rules.py"),
        ("attribute", "remove", "randomise", "score"),
        "attribute is done again: srd/rules.py changed\nremove is done again: it reads what attribute wrote",
    ),
    "noise": (
        makes_more_noise,
        ALL,
        "perturb is done again: attacks/corruptions/noise.py changed",
    ),
    "store": (
        comment("pipeline/store/receipts.py"),
        ALL,
        "perturb is done again: pipeline/store/receipts.py changed",
    ),
    "self-check": (comment("pipeline/execution/self_checks.py"), NOTHING, "sources changed; no task is done again"),
}
"""What is changed, which stages are done again, and what the terminal says."""


@pytest.mark.parametrize(("change", "stages", "said"), CHANGES.values(), ids=CHANGES)
def test_the_same_command_does_again_what_may_have_changed(
    copy: Copy, change: Callable[[Path], None], stages: tuple[str, ...], said: str
) -> None:
    before = tree(copy.folder / "run" / "audit.zarr")
    change(copy.root)
    out = copy.run("run")
    assert said in out
    assert out.count("done again") == max(1, len(stages))
    assert copy.done("run")[len(tasks_of(ALL)) :] == tasks_of(stages)
    copy.run("fresh")
    after = tree(copy.folder / "run" / "audit.zarr")
    assert after == tree(copy.folder / "fresh" / "audit.zarr")
    shards = [key for key in before if key.startswith(("input/c", "prediction/c")) and "perturb" not in stages]
    assert all(before[key] == after[key] for key in shards)


UNUSED = {
    "attack": comment("attacks/predictions/library.py"),
    "method": comment("srd/baselines/rise.py"),
    "new method": adds_a_method,
    "report": comment("reports/audit/stability.py"),
    "estimate": comment("pipeline/estimate/units.py"),
    "cluster": comment("pipeline/execution/on_dask/clusters.py"),
}


@pytest.mark.parametrize("change", UNUSED.values(), ids=UNUSED)
def test_what_the_audit_does_not_use_changes_nothing(copy: Copy, change: Callable[[Path], None]) -> None:
    before = tree(copy.folder / "run" / "audit.zarr")
    change(copy.root)
    assert "done again" not in copy.run("run")
    assert len(copy.done("run")) == len(tasks_of(ALL))
    assert tree(copy.folder / "run" / "audit.zarr") == before
