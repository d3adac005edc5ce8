"""`srd-audit plan`: what an audit takes is told before it starts, and refused where it does not fit."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Command
from small_audits import TASKS, edit, tree, write_audit

from pipeline.execution.on_dask import executor as on_dask
from pipeline.machine import memory
from pipeline.machine.phases import Tell
from reports.cli import planning


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small audit, measured in this process: another one takes seconds to start."""

    def here(
        variables: dict[str, str], function: Callable[..., Any], *arguments: Any, tell: Tell, **of_another: Any
    ) -> Any:
        return function(*arguments, tell)

    monkeypatch.setattr(planning, "call_in_new_process", here)
    monkeypatch.setattr(on_dask, "call_in_new_process", here)
    return write_audit(tmp_path / "audit")


def test_a_plan_names_what_costs_and_leaves_nothing(command: Command, spec: Path, tmp_path: Path) -> None:
    before = tree(tmp_path)
    code, out, err = command("plan", spec, "--workers", 2)
    assert code == 0
    assert [line for line in err.splitlines() if line.startswith(("importing", "measuring"))] == [
        "importing torch ...",
        *[line for line in err.splitlines() if line.startswith("measuring")],
    ]
    assert "measuring perturb clean (1 of 17) ..." in err
    assert tree(tmp_path) == before
    words = " ".join(out.replace("│", " ").replace("┃", " ").split())
    assert "6 images in tiles of 4" in words
    assert "1 process 2 processes" in words
    assert all(f"{stage} {n}" in words for stage, n in TASKS.items())
    for name in ("manipulate:srd@8/255", "saliency", "attribution", "receipts", "memory: about"):
        assert name in words, name


def test_a_plan_as_json(command: Command, spec: Path) -> None:
    code, out, _ = command("plan", spec, "--json", "--workers", 3)
    plan = json.loads(out)
    assert code == 0
    assert {stage: cost["tasks"] for stage, cost in plan["stages"].items()} == TASKS
    assert plan["store"] == sum(plan["arrays"].values()) + plan["receipts"] + plan["metadata"]
    assert plan["workers"] == 3
    assert 0 < plan["elapsed"] < plan["seconds"]


def test_the_table_of_the_spec_names_the_workers(command: Command, spec: Path) -> None:
    spec.write_text(spec.read_text(encoding="utf-8") + '\n[cluster]\nkind = "local"\nworkers = 4\n', encoding="utf-8")
    assert json.loads(command("plan", spec, "--json").out)["workers"] == 4


@pytest.mark.slow
def test_a_plan_of_several_subjects(command: Command, spec: Path) -> None:
    text = (
        spec.read_text(encoding="utf-8")
        .replace("[model]", "[subject.one.model]")
        .replace("[data]", "[subject.one.data]")
    )
    subject = text.split("[explain]", maxsplit=1)[0].replace("subject.one", "subject.two")
    spec.write_text(text + subject.replace("masks = ", "n = 3\nmasks = "), encoding="utf-8")
    plans = json.loads(command("plan", spec, "--json").out)
    assert {name: plan["images"] for name, plan in plans.items()} == {"one": 6, "two": 3}


def test_a_store_that_does_not_fit_ends_with_exit_code_5(
    command: Command, spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(spec.parent)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage._replace(free=100_000))
    code, out, err = command("plan", spec)
    assert code == 5
    assert "6 images in tiles of 4" in out, "the plan is shown"
    assert f"\nerror {spec.parent}/runs/small: the store needs " in err
    assert "the disk has 97.7 KiB free" in err


def test_processes_that_do_not_fit_end_with_exit_code_5(
    command: Command, spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: 2**20)
    code, _, err = command("plan", spec, "--workers", 2)
    assert code == 5
    assert "\nerror processes: 2, with tiles of 4 images, need about " in err
    assert err.endswith("1 MiB are free; use a smaller run.tile\n")


def test_a_run_whose_store_is_hopeless_ends_with_exit_code_5_before_any_task(
    command: Command, spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(spec.parent)
    with monkeypatch.context() as patched:
        patched.setattr("shutil.disk_usage", lambda path: usage._replace(free=10))
        patched.setattr("pipeline.store.capacity.LEAST_SHARE", 1.0)  # of this small store metadata are a large part
        code, _, err = command("run", spec, "--out", "run")
    assert code == 5
    assert "the disk has 10 B free" in err
    assert not (tmp_path / "run" / "logs" / "tasks.jsonl").exists()
    assert command("run", spec, "--out", "run", "--stage", "score").code == 0
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage._replace(free=10))
    assert command("run", spec, "--out", "run", "--stage", "score").code == 0, "nothing more is needed"


def test_what_the_audit_would_refuse_is_refused(command: Command, spec: Path) -> None:
    edit(spec, 'weights = "weights.pt"', 'weights = "none.pt"')
    code, out, err = command("plan", spec)
    assert (code, out) == (2, "")
    assert "none.pt: No such file" in err
