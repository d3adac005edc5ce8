"""What the logs of a run say, and that its bytes do not depend on them."""

import json
import os
import platform
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from small_audits import TASKS, Watch, job_of, plain_attributes, run, tree

from pipeline.execution.executors import Outcome, Work, serial_executor
from pipeline.execution.logs import ClusterLog, Log
from pipeline.plan.tasks import Task
from srd.errors import ModelError, StoreError

TASK = Task("score", 3, 1)


VERSIONS = {"python": "3.11.0"}


def logged(folder: Path, spec: Path = Path("audit.toml"), executor: str = "this process") -> Log:
    log = Log(folder, spec, executor)
    log.on_store(plain_attributes(VERSIONS))
    return log


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_a_run_that_is_refused_leaves_no_log(spec: Path, tmp_path: Path) -> None:
    (spec.parent / "weights.pt").unlink()
    with pytest.raises(ModelError):
        run(job_of(spec, tmp_path / "run"), serial_executor, Log(tmp_path / "run", spec, "this process"))
    assert not (tmp_path / "run").exists()


def test_every_task_of_a_run_has_its_line(spec: Path, tmp_path: Path) -> None:
    began = datetime.now(UTC)
    job, watch = job_of(spec, tmp_path / "run"), Watch()
    run(job, serial_executor, logged(tmp_path / "run"))
    run(job, serial_executor, watch)
    assert watch.outcomes == [], "a run with logs is a whole run"
    told = lines(tmp_path / "run" / "logs" / "tasks.jsonl")
    assert len({line["task"] for line in told}) == len(told) == sum(TASKS.values())
    assert {stage: sum(line["stage"] == stage for line in told) for stage in TASKS} == TASKS
    for line in told:
        assert (line["host"], line["process"], line["device"]) == (platform.node(), os.getpid(), "cpu")
        assert (line["attempt"], line["error"]) == (1, None)
        assert line["seconds"] > 0
        assert began <= datetime.fromisoformat(line["time"]) <= datetime.now(UTC)


def test_attempts_are_counted_and_causes_kept(tmp_path: Path) -> None:
    log = logged(tmp_path)
    log.on_task(Outcome(TASK, ValueError("two\nlines")))
    log.on_task(Outcome(Task("score", 0, 0), work=Work("here", "cpu", 1, 0.5)))
    log.on_task(Outcome(TASK, work=Work("there", "cuda:0", 2, 1.5)))
    first, _, last = lines(tmp_path / "logs" / "tasks.jsonl")
    assert (first["task"], first["attempt"], first["error"], first["host"]) == (TASK.key, 1, "two\nlines", None)
    assert (last["attempt"], last["error"], last["device"], last["seconds"]) == (2, None, "cuda:0", 1.5)


def test_every_start_of_a_run_names_its_spec_and_where_its_tasks_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged(tmp_path, tmp_path / "first" / "audit.toml", "this process")
    (tmp_path / "second").mkdir()
    monkeypatch.chdir(tmp_path / "second")
    logged(tmp_path, Path("audit.toml"), "2 processes")
    first, last = lines(tmp_path / "logs" / "runs.jsonl")
    assert (first["spec"], first["executor"]) == (str(tmp_path / "first" / "audit.toml"), "this process")
    assert (last["spec"], last["executor"]) == (str(tmp_path / "second" / "audit.toml"), "2 processes")
    assert last["host"] == platform.node()
    assert last["versions"] == {"python": "3.11.0"}


@pytest.mark.parametrize("link", ["logs", "logs/tasks.jsonl", "logs/runs.jsonl"])
def test_no_line_is_written_through_a_link(tmp_path: Path, link: str) -> None:
    folder, outside = tmp_path / "run", tmp_path / "outside"
    (folder / link).parent.mkdir(parents=True)
    outside.mkdir() if link == "logs" else outside.write_text("mine", encoding="utf-8")
    (folder / link).symlink_to(outside)
    with pytest.raises(StoreError, match=f"{link}: is a link"):
        logged(folder).on_task(Outcome(TASK, ValueError("x")))
    assert not list(outside.iterdir()) if link == "logs" else outside.read_text(encoding="utf-8") == "mine"


def _append(folder: Path, process: int) -> None:
    log = logged(folder)
    for tile in range(200):
        log.on_task(Outcome(Task("score", tile, process), ValueError("x" * 2000)))


def test_lines_of_several_processes_stay_whole(tmp_path: Path) -> None:
    processes = [get_context("fork").Process(target=_append, args=(tmp_path, number)) for number in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    told = lines(tmp_path / "logs" / "tasks.jsonl")
    assert {line["task"] for line in told} == {Task("score", t, p).key for t in range(200) for p in range(3)}
    assert len(told) == 600


def test_logs_change_no_byte_that_is_compared(tmp_path: Path) -> None:
    (tmp_path / "result").write_text("1", encoding="utf-8")
    before = tree(tmp_path)
    logged(tmp_path, tmp_path / "audit.toml", "this process")
    assert tree(tmp_path) == before


def test_what_a_cluster_tells_is_passed_on_and_becomes_lines(tmp_path: Path) -> None:
    told: list[str] = []
    log = ClusterLog(tmp_path / "run", told.append)
    log("starting 2 workers")
    assert not (tmp_path / "run").exists()
    (tmp_path / "run").mkdir()
    log.begin()
    log("no worker is there")
    texts = [line["told"] for line in lines(tmp_path / "run" / "logs" / "cluster.jsonl")]
    assert texts == told == ["starting 2 workers", "no worker is there"]
