"""Whatever happens to a run, the same command ends in the same bytes."""

import signal
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

import pytest
from small_audits import TASKS, Finished, Watch, finish, finish_until_killed, job_of, path_of, receipts, tree

import pipeline.run as running
from pipeline import store as store_module
from pipeline.context import Context
from pipeline.deployment import LocalSpec
from pipeline.executors import serially
from pipeline.ledger import LITTER, RECEIPTS
from pipeline.location import Location
from pipeline.on_dask.executor import on_dask
from pipeline.plan import Task
from pipeline.run import run
from pipeline.stages import STAGE_FUNCTIONS
from pipeline.store import Arrays, exists, progress
from srd.errors import IncompleteRun

SMOKE = Path(__file__).parents[2] / "specs" / "smoke.toml"
N_TASKS = sum(TASKS.values())


def test_serial_and_two_processes_make_the_same_bytes(tmp_path: Path) -> None:
    alone = finish(SMOKE, tmp_path / "alone")
    with on_dask(LocalSpec(workers=2)) as executor:
        together = finish(SMOKE, tmp_path / "together", executor)
    assert len(together.watch.outcomes) == len(alone.watch.outcomes) == sum(n for _, _, n in alone.watch.stages)
    assert tree(alone.job.store) == tree(together.job.store)


def kill(spec: Path, folder: Path, nth: int) -> None:
    """Runs the audit in a process that is killed while it writes the nth file of its store."""
    context = get_context("forkserver")
    context.set_forkserver_preload(
        ["pipeline.run", "attacks.explanations.manipulation", "attacks.predictions.library", "srd.decomposition"]
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


@pytest.mark.parametrize("nth", [0, *sorted(Random(2024).sample(range(1, 3 * N_TASKS), 4))])
def test_a_killed_run_continues_to_the_same_bytes(finished: Finished, spec: Path, tmp_path: Path, nth: int) -> None:
    job = job_of(spec, tmp_path / "run")
    kill(spec, tmp_path / "run", n_objects(finished) + nth)
    assert len(list(path_of(job.store).rglob(LITTER))) == 1
    left = N_TASKS - len(receipts(job.store))
    watch = finish(spec, tmp_path / "run").watch
    assert len(watch.outcomes) == left > 0
    assert tree(job.store) == tree(finished.job.store)


@pytest.mark.parametrize("nth", [0, 17, -1])
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
            run(job, serially, Watch())
    assert len(receipts(job.store)) < N_TASKS
    finish(spec, tmp_path / "run")
    assert tree(job.store) == tree(finished.job.store)


@pytest.mark.parametrize("stage", TASKS)
def test_a_failing_task_stops_neither_its_stage_nor_the_next_run(
    finished: Finished, spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    bad = Task(stage, 1, 1)

    def failing(context: Context, task: Task) -> Arrays:
        if task == bad:
            raise FloatingPointError("on purpose")
        return STAGE_FUNCTIONS[stage](context, task)

    job, watch = job_of(spec, tmp_path / "run"), Watch()
    with monkeypatch.context() as patched:
        patched.setattr(running, "STAGE_FUNCTIONS", {**STAGE_FUNCTIONS, stage: failing})
        with pytest.raises(IncompleteRun) as caught:
            run(job, serially, watch)
    assert caught.value.exit_code == 4
    cause = f"{bad.key} failed: FloatingPointError: on purpose"
    assert str(caught.value) == f"1 of {TASKS[stage]} tasks of stage {stage} failed, the first: {cause}"
    assert [outcome.task for outcome in watch.outcomes if outcome.error] == [bad]
    before = list(TASKS)[: list(TASKS).index(stage)]
    done = {name: TASKS[name] if name in before else 0 for name in TASKS} | {stage: TASKS[stage] - 1}
    assert {name: finished for name, (finished, _) in progress(job.store).items()} == done
    watch = finish(spec, tmp_path / "run").watch
    assert watch.outcomes[0].task == bad
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
            (path_of(job.store) / RECEIPTS / name).unlink()
    finish(spec, tmp_path / "run")
    assert tree(job.store) == tree(finished.job.store)
