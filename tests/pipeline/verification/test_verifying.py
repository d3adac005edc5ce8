"""A verification finds every damage and every other byte, changes nothing, and states how far other machines come."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_audits import Finished, change_sources, edit, finish, path_of, tree

from pipeline.plan.stages import STAGES
from pipeline.plan.tasks import Task
from pipeline.stages.compute import compute
from pipeline.stages.context import Context
from pipeline.store.store import Arrays
from pipeline.verification import verifying
from pipeline.verification.findings import NAME, Verification, read_verifications, write_verification
from pipeline.verification.verifying import verify
from srd.errors import StoreError


@pytest.fixture
def run(spec: Path, tmp_path: Path) -> Finished:
    return finish(spec, tmp_path / "run")


def test_of_a_sound_run_everything_holds_and_nothing_changes(run: Finished) -> None:
    before = tree(run.job.store)
    found = verify(run.job, 100, 0)
    assert found.is_kept
    assert found.planned == found.done == len(list(run.context.plan.all_tasks()))
    assert (found.unlike, found.damaged) == ((), ())
    done = {(each.stage, each.variable): each.tasks for each in found.repetitions}
    plan = run.context.plan
    assert done == {
        (stage, variable.name): sum(variable in plan.variables(task) for task in plan.tasks(stage))
        for stage in STAGES
        for task in plan.tasks(stage)
        for variable in plan.variables(task)
    }
    assert all((each.same, each.equal, each.largest) == (each.tasks, 1, 0) for each in found.repetitions)
    assert tree(run.job.store) == before


@pytest.mark.slow
def test_the_sample_is_of_each_stage_and_follows_the_seed(run: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Task] = []

    def watching(context: Context, task: Task) -> Arrays:
        tried.append(task)
        return compute(context, task)

    monkeypatch.setattr(verifying, "compute", watching)

    def chosen(sample: int, seed: int) -> list[Task]:
        tried.clear()
        verify(run.job, sample, seed)
        return list(tried)

    assert [task.stage for task in chosen(2, 0)] == [stage for stage in STAGES if stage != "fit" for _ in range(2)]
    assert chosen(2, 0) == chosen(2, 0)
    assert len({tuple(chosen(2, seed)) for seed in range(5)}) > 1
    assert chosen(0, 0) == []


def test_damage_is_named_before_any_code_of_the_network_runs(run: Finished) -> None:
    shard = next(file for file in sorted((path_of(run.job.store) / "score" / "c").rglob("*")) if file.is_file())
    shard.write_bytes(b"")
    (run.spec.parent / "network.py").write_text("raise SystemExit('imported')", encoding="utf-8")
    found = verify(run.job, 100, 0)
    assert not found.is_kept
    assert [key for key, _ in found.damaged] == ["score-00000-00"]
    assert "score" in found.damaged[0][1]
    assert found.repetitions == ()


def test_a_task_whose_input_is_withdrawn_is_not_done_again(run: Finished) -> None:
    run.context.store.receipts.withdraw(["attribute-00000-01"])
    found = verify(run.job, 100, 0)
    assert found.is_kept
    assert found.planned == found.done + 1
    done = {(each.stage, each.variable): each.tasks for each in found.repetitions}
    assert 0 < done["score", "score"] < 6


def test_other_bytes_on_the_same_class_of_machine_are_told_with_their_size(
    run: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    def off(context: Context, task: Task) -> Arrays:
        arrays = dict(compute(context, task))
        if task.stage == "perturb" and task.column == 1:
            arrays["input"] = arrays["input"].copy()
            arrays["input"].flat[0] += np.float32(0.5)
        return arrays

    monkeypatch.setattr(verifying, "compute", off)
    found = verify(run.job, 100, 0)
    assert not found.is_kept
    (other,) = [each for each in found.repetitions if each.same < each.tasks]
    assert (other.stage, other.variable, other.tasks - other.same) == ("perturb", "input", 2)
    values = run.context.store.read("input").size
    assert other.equal == pytest.approx(1 - 2 / values)
    assert other.largest == pytest.approx(0.5 / run.context.store.read("input").max(), rel=0.05)


def test_a_changed_weight_is_refused_instead_of_compared(run: Finished) -> None:
    edit(run.spec.parent / "network.py", "def build(", "# another file\ndef build(")
    with pytest.raises(StoreError, match="was made by another audit \\(it differs in: network"):
        verify(run.job, 1, 0)


@pytest.mark.parametrize(
    ("file", "others"),
    [
        ("srd/metrics/share_90.py", ("score",)),
        ("pipeline/stages/attribute.py", ("attribute", "remove", "score")),
        ("pipeline/stages/perturb.py", ("perturb", "attribute", "occlude", "remove", "randomise", "score")),
        ("pipeline/execution/self_checks.py", ()),
    ],
)
def test_tasks_of_other_code_are_not_done_again_but_named(
    run: Finished, monkeypatch: pytest.MonkeyPatch, file: str, others: tuple[str, ...]
) -> None:
    change_sources(monkeypatch, file)
    found = verify(run.job, 100, 0)
    assert found.is_kept
    assert found.other_sources == others
    assert {each.stage for each in found.repetitions} == set(STAGES) - {"fit", *others}


ELSEWHERE = """\
import sys
from pathlib import Path
from small_audits import job_of
from pipeline.verification.findings import write_verification
from pipeline.verification.verifying import verify
write_verification(Path(sys.argv[2]), verify(job_of(Path(sys.argv[1]), Path(sys.argv[2])), 100, 0))
"""


@pytest.mark.slow
def test_on_another_class_of_machine_the_difference_is_stated(run: Finished, tmp_path: Path) -> None:
    """The same processor without its wide registers is another class: torch sums in another order."""
    path = os.pathsep.join(filter(None, sys.path))
    environment = os.environ | {"ATEN_CPU_CAPABILITY": "default", "PYTHONPATH": path}
    command = [sys.executable, "-P", "-c", ELSEWHERE, str(run.spec), str(tmp_path / "run")]
    subprocess.run(command, env=environment, check=True, timeout=120)
    (found,) = read_verifications(tmp_path / "run", run.attributes.fingerprint)
    assert any(each.startswith("hardware") for each in found.unlike)
    assert found.is_kept
    maps = next(each for each in found.repetitions if each.variable == "attribution")
    assert maps.largest is not None
    assert maps.largest < 1e-2


def test_findings_are_kept_one_for_each_class_of_machine(tmp_path: Path) -> None:
    one = Verification("it", "one", (), 3, 3, (("score-00000-00", "torn"),), ())
    other = Verification("it", "another", ("hardware",), 3, 3, (), ())
    write_verification(tmp_path, one)
    write_verification(tmp_path, other)
    assert read_verifications(tmp_path, "it") == (other, one)
    mended = replace(one, damaged=())
    write_verification(tmp_path, mended)
    assert not read_verifications(tmp_path, "another store")
    assert read_verifications(tmp_path, "it") == (other, mended)


NO_FINDINGS = {
    "no JSON": b"{",
    "another kind": b'{"a": 1}',
    "a field too few": b'[{"store": "it"}]',
    "a number too long": b"[" + b"9" * 5000 + b"]",
    "deep": b"[" * 100_000,
    "half a character": b'["\\ud800"]',
    "no text": b"\xff\xfe",
}


@pytest.mark.parametrize("content", NO_FINDINGS.values(), ids=NO_FINDINGS)
def test_what_is_no_finding_is_refused_with_the_way_out(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(StoreError, match=rf"{NAME}: .*; remove it, and verify the run again"):
        read_verifications(tmp_path, "it")


@pytest.mark.parametrize(
    "made", [Path.mkdir, os.mkfifo, lambda file: file.symlink_to(file)], ids=["folder", "pipe", "loop"]
)
def test_findings_that_are_no_file_are_refused(tmp_path: Path, made: Callable[[Path], object]) -> None:
    made(tmp_path / NAME)
    with pytest.raises(StoreError, match=rf"{NAME}: .*; remove it, and verify the run again"):
        read_verifications(tmp_path, "it")
