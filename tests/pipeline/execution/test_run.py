"""Laws of a run: stage after stage, what is done is not done again, what fails is named."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch
from small_audits import TASKS, Finished, Watch, finish, job_of, receipts, run, tree, write_audit

from pipeline.execution import worker
from pipeline.execution.calls import perform
from pipeline.execution.executors import Executor, Outcome, Perform, SerialExecutor, serial_executor
from pipeline.plan.selection import Selection
from pipeline.plan.stages import STAGES
from pipeline.plan.tasks import Task
from pipeline.stages.context import Context
from pipeline.store.store import Arrays, progress
from srd.errors import IncompleteRun, StageError


def test_an_observer_is_told_of_every_stage_and_task(finished: Finished) -> None:
    assert finished.watch.stages == [(stage, 0, n) for stage, n in TASKS.items()]
    assert [outcome.task for outcome in finished.watch.outcomes] == list(finished.context.plan.all_tasks())
    assert not any(outcome.error for outcome in finished.watch.outcomes)
    assert finished.watch.attributes


def test_every_task_of_a_finished_run_has_its_receipt(finished: Finished) -> None:
    assert receipts(finished.job.store) == {task.key for task in finished.context.plan.all_tasks()}
    assert progress(finished.job.store) == {stage: (n, n) for stage, n in TASKS.items()}


def test_a_finished_run_does_nothing(finished: Finished) -> None:
    before, watch = tree(finished.job.store), Watch()
    run(finished.job, serial_executor, watch)
    assert watch.stages == [(stage, n, n) for stage, n in TASKS.items()]
    assert watch.outcomes == []
    assert tree(finished.job.store) == before


def test_stages_one_at_a_time_end_as_all_at_once(finished: Finished, spec: Path, tmp_path: Path) -> None:
    job = job_of(spec, tmp_path / "run")
    for number, stage in enumerate(STAGES, 1):
        run(job, serial_executor, Watch(), Selection(stage))
        done = {name: (n if name in tuple(STAGES)[:number] else 0, n) for name, n in TASKS.items()}
        assert progress(job.store) == done
    assert tree(job.store) == tree(finished.job.store)


class Backwards(SerialExecutor):
    def __call__(self, tasks: Sequence[Task], perform: Perform) -> Iterator[Outcome]:
        yield from serial_executor(tasks[::-1], perform)


class Twice(SerialExecutor):
    """As Dask does with a result that it lost."""

    def __call__(self, tasks: Sequence[Task], perform: Perform) -> Iterator[Outcome]:
        list(serial_executor(tasks, perform))
        yield from serial_executor(tasks, perform)


@pytest.mark.parametrize("executor", [Backwards(), Twice()])
def test_neither_order_nor_repetition_leaves_a_trace(
    finished: Finished, spec: Path, tmp_path: Path, executor: Executor
) -> None:
    assert tree(finish(spec, tmp_path / "run", executor).job.store) == tree(finished.job.store)


class Forgetful(SerialExecutor):
    def __call__(self, tasks: Sequence[Task], perform: Perform) -> Iterator[Outcome]:
        yield from serial_executor([task for task in tasks if task != Task("perturb", 0, 0)], perform)


def test_a_task_that_an_executor_forgets_stops_the_run(spec: Path, tmp_path: Path) -> None:
    job, watch = job_of(spec, tmp_path / "run"), Watch()
    with pytest.raises(IncompleteRun, match=r"^1 tasks have no receipt, the first: perturb-00000-00$"):
        run(job, Forgetful(), watch)
    assert {outcome.task.tile for outcome in watch.outcomes if outcome.task.stage != "perturb"} == {1}


def test_a_failing_task_is_named_with_its_cause(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(context: Context, task: Task) -> Arrays:
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr(worker, "compute", broken)
    with pytest.raises(
        StageError, match=r"^score-00001-02 failed: ZeroDivisionError: on purpose\n  .*, in broken$"
    ) as caught:
        perform(finished.job, Task("score", 1, 2))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_task_runs_on_one_thread_and_gives_the_others_back(
    finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def counting(context: Context, task: Task) -> Arrays:
        seen.append(torch.get_num_threads())
        raise RuntimeError

    monkeypatch.setattr(worker, "compute", counting)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(StageError):
            perform(finished.job, Task("score", 0, 0))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert seen == [1]


def test_two_runs_at_once_end_as_one(finished: Finished, spec: Path, tmp_path: Path) -> None:
    """Another driver enters the folder between any two tasks and does them all."""
    job = job_of(spec, tmp_path / "run")

    class Overtaken(SerialExecutor):
        def __call__(self, tasks: Sequence[Task], perform: Perform) -> Iterator[Outcome]:
            for number, outcome in enumerate(serial_executor(tasks, perform)):
                if number == 1:
                    run(job, serial_executor, Watch())
                yield outcome

    run(job, Overtaken(), Watch())
    assert tree(job.store) == tree(finished.job.store)


@pytest.mark.slow
def test_a_process_that_outlives_a_store_takes_the_new_network(tmp_path: Path) -> None:
    spec = write_audit(tmp_path)
    finish(spec, tmp_path / "run")
    weights = torch.load(tmp_path / "weights.pt")
    torch.save({name: 0.1 - 1.5 * values for name, values in weights.items()}, tmp_path / "weights.pt")
    shutil.rmtree(tmp_path / "run")
    after_another, fresh = finish(spec, tmp_path / "run"), finish(spec, tmp_path / "fresh")
    assert tree(after_another.job.store) == tree(fresh.job.store)
