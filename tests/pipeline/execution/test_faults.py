"""Whatever happens to a run, the same command ends in the same bytes."""

import signal
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

import pytest
from small_audits import (
    TASKS,
    Finished,
    Watch,
    finish,
    finish_until_killed,
    job_of,
    lost_with,
    object_path,
    path_of,
    receipts,
    run,
    tree,
)

from pipeline.execution import worker
from pipeline.execution.executors import serial_executor
from pipeline.plan.selection import Selection, TileShare
from pipeline.plan.tasks import Task
from pipeline.stages.compute import compute
from pipeline.stages.context import Context
from pipeline.store import store as store_module
from pipeline.store.location import Location
from pipeline.store.receipts import LITTER, RECEIPTS
from pipeline.store.store import Arrays, exists, failures
from srd.errors import FailedTasks

N_TASKS = sum(TASKS.values())


def kill(spec: Path, folder: Path, nth: int) -> None:
    """Runs the audit in a process that is killed while it writes the nth file of its store."""
    context = get_context("forkserver")
    context.set_forkserver_preload(
        [
            "pipeline.execution.worker",
            "attacks.explanations.attacks",
            "attacks.predictions.library",
            "srd.decomposition",
        ]
    )
    process = context.Process(target=finish_until_killed, args=(spec, folder, nth))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def n_objects(finished: Finished) -> int:
    """Of the store before any task: all that no task has written."""
    plan = finished.context.plan
    written = sum(1 + len(plan.variables(task)) for task in plan.all_tasks())
    return len(tree(finished.job.store)) - written


ANYWHERE = sorted(Random(2024).sample(range(1, 3 * N_TASKS), 4))


@pytest.mark.slow
@pytest.mark.parametrize("nth", [0, *(pytest.param(nth, marks=pytest.mark.slow) for nth in ANYWHERE)])
def test_a_killed_run_continues_to_the_same_bytes(finished: Finished, spec: Path, tmp_path: Path, nth: int) -> None:
    job = job_of(spec, tmp_path / "run")
    kill(spec, tmp_path / "run", n_objects(finished) + nth)
    assert len(list((tmp_path / "run").rglob(LITTER))) == 1
    left = N_TASKS - len(receipts(job.store))
    watch = finish(spec, tmp_path / "run").watch
    assert len(watch.outcomes) == left > 0
    assert tree(job.store) == tree(finished.job.store)


@pytest.mark.slow
@pytest.mark.parametrize("nth", [0, pytest.param(17, marks=pytest.mark.slow), -1])
def test_a_run_killed_while_the_store_is_made_starts_over(
    finished: Finished, spec: Path, tmp_path: Path, nth: int
) -> None:
    folder = tmp_path / "run"
    kill(spec, folder, nth % n_objects(finished))
    assert not exists(job_of(spec, folder).store)
    finish(spec, folder)
    assert tree(folder) == tree(path_of(finished.job.store).parent)


@pytest.mark.parametrize("nth", sorted(Random(7).sample(range(60), 4)))
def test_a_full_disk_stops_the_run_and_leaves_no_false_receipt(
    finished: Finished, spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    writes: Iterator[int] = iter(range(10**6))
    original = store_module._write

    def full(*args: Any) -> None:
        if next(writes) >= nth:
            raise OSError(28, "No space left on device")
        original(*args)

    job = job_of(spec, tmp_path / "run")
    with monkeypatch.context() as patched:
        patched.setattr(store_module, "_write", full)
        with pytest.raises(OSError, match="No space left"):
            run(job, serial_executor, Watch())
    assert len(receipts(job.store)) < N_TASKS
    finish(spec, tmp_path / "run")
    assert tree(job.store) == tree(finished.job.store)


def failing(monkeypatch: pytest.MonkeyPatch, bad: Task, times: int) -> list[Task]:
    """Makes a task fail the first few times; returns a list of the tasks that are tried."""
    tried: list[Task] = []

    def function(context: Context, task: Task) -> Arrays:
        tried.append(task)
        if task == bad and tried.count(bad) <= times:
            raise FloatingPointError("on purpose")
        return compute(context, task)

    monkeypatch.setattr(worker, "compute", function)
    return tried


@pytest.mark.parametrize("stage", TASKS)
def test_a_task_that_fails_once_costs_nothing(
    finished: Finished, spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    bad = Task(stage, 1, finished.context.plan.columns(stage)[-1])
    with monkeypatch.context() as patched:
        tried = failing(patched, bad, 1)
        job = finish(spec, tmp_path / "run").job
    assert tried.count(bad) == 2
    assert len(tried) == N_TASKS + 1
    assert tree(job.store) == tree(finished.job.store)


@pytest.mark.parametrize("stage", TASKS)
def test_a_task_that_fails_always_costs_only_those_that_read_from_it(
    finished: Finished, spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    bad = Task(stage, 1, finished.context.plan.columns(stage)[-1])
    job, watch = job_of(spec, tmp_path / "run"), Watch()
    with monkeypatch.context() as patched:
        tried = failing(patched, bad, N_TASKS)
        with pytest.raises(FailedTasks) as caught:
            run(job, serial_executor, watch)
    lost = lost_with(bad, finished.context)
    assert tried.count(bad) == 2
    assert receipts(job.store) == {task.key for task in finished.context.plan.all_tasks()} - {task.key for task in lost}
    cause = f"{bad.key} failed: FloatingPointError: on purpose"
    blocked = f"; {len(lost) - 1} tasks that read from these were not run" if len(lost) > 1 else ""
    message, place = str(caught.value).splitlines()
    assert (message, caught.value.exit_code) == (f"1 tasks failed, the first: {cause}{blocked}", 4)
    assert place.endswith(", in function")
    assert {key: failure.error for key, failure in failures(job.store).items()} == {bad.key: f"{cause}\n{place}"}
    assert sum(n for _, n in watch.waiting) == len(lost) - 1
    again = finish(spec, tmp_path / "run").watch
    assert {outcome.task for outcome in again.outcomes} == lost
    assert tree(job.store) == tree(finished.job.store)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_the_parts_of_a_run_end_as_the_whole(finished: Finished, spec: Path, tmp_path: Path, n: int) -> None:
    """Parts may find that maps of other parts are missing; the command without a part does what is left."""
    job, watches = job_of(spec, tmp_path / "run"), []
    for number in range(n, 0, -1):
        watches.append(Watch())
        run(job, serial_executor, watches[-1], Selection(share=TileShare(number, n)))
    by_parts = [outcome.task for watch in watches for outcome in watch.outcomes]
    assert len(set(by_parts)) == len(by_parts)
    assert {task for task in finished.context.plan.all_tasks() if task.stage != "score"} <= set(by_parts)
    rest = finish(spec, tmp_path / "run").watch
    assert len(rest.outcomes) == N_TASKS - len(by_parts)
    assert tree(job.store) == tree(finished.job.store)


def damage_every_large_shard(store: Location) -> None:
    for file in (path_of(store) / "attribution" / "c").rglob("*"):
        if file.is_file():
            file.write_bytes(file.read_bytes()[:-7])


def test_work_without_a_receipt_is_done_again_over_whatever_lies_there(
    finished: Finished, spec: Path, tmp_path: Path
) -> None:
    job = finish(spec, tmp_path / "run").job
    damage_every_large_shard(job.store)
    for name in receipts(job.store):
        if not name.startswith("perturb"):
            object_path(job.store, RECEIPTS, name).unlink()
    finish(spec, tmp_path / "run")
    assert tree(job.store) == tree(finished.job.store)
