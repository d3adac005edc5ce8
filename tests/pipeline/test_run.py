"""Laws of a run: stage after stage, what is done is not done again, what fails is named."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch
from small_audits import TASKS, Finished, Watch, finish, job_of, receipts, tree

import pipeline.run as running
from pipeline.context import Context
from pipeline.executors import Executor, Outcome, Perform, serially
from pipeline.plan import Task
from pipeline.run import perform, run
from pipeline.schema import STAGES
from pipeline.store import Arrays, progress
from srd.errors import IncompleteRun, StageError


def test_an_observer_is_told_of_every_stage_and_task(finished: Finished) -> None:
    assert finished.watch.stages == [(stage, 0, n) for stage, n in TASKS.items()]
    assert [outcome.task for outcome in finished.watch.outcomes] == list(finished.context.plan.all_tasks())
    assert not any(outcome.error for outcome in finished.watch.outcomes)
    assert finished.watch.attributes["fingerprint"]


def test_every_task_of_a_finished_run_has_its_receipt(finished: Finished) -> None:
    assert receipts(finished.job.store) == {task.key for task in finished.context.plan.all_tasks()}
    assert progress(finished.job.store) == {stage: (n, n) for stage, n in TASKS.items()}


def test_a_finished_run_does_nothing(finished: Finished) -> None:
    before, watch = tree(finished.job.store), Watch()
    run(finished.job, serially, watch)
    assert watch.stages == [(stage, n, n) for stage, n in TASKS.items()]
    assert watch.outcomes == []
    assert tree(finished.job.store) == before


def test_stages_one_at_a_time_end_as_all_at_once(finished: Finished, spec: Path, tmp_path: Path) -> None:
    job = job_of(spec, tmp_path / "run")
    for number, stage in enumerate(STAGES, 1):
        run(job, serially, Watch(), until=stage)
        done = {name: (n if name in STAGES[:number] else 0, n) for name, n in TASKS.items()}
        assert progress(job.store) == done
    assert tree(job.store) == tree(finished.job.store)


def backwards(tasks: Sequence[Task], perform: Perform) -> Iterator[Outcome]:
    yield from serially(tasks[::-1], perform)


def twice(tasks: Sequence[Task], perform: Perform) -> Iterator[Outcome]:
    """As Dask does with a result that it lost."""
    list(serially(tasks, perform))
    yield from serially(tasks, perform)


@pytest.mark.parametrize("executor", [backwards, twice])
def test_neither_order_nor_repetition_leaves_a_trace(
    finished: Finished, spec: Path, tmp_path: Path, executor: Executor
) -> None:
    assert tree(finish(spec, tmp_path / "run", executor).job.store) == tree(finished.job.store)


def forgetful(tasks: Sequence[Task], perform: Perform) -> Iterator[Outcome]:
    yield from serially(tasks[1:], perform)


def test_a_task_that_an_executor_forgets_stops_the_run(spec: Path, tmp_path: Path) -> None:
    job, watch = job_of(spec, tmp_path / "run"), Watch()
    with pytest.raises(IncompleteRun, match="1 tasks of stage perturb have no receipt, the first: perturb-00000-00"):
        run(job, forgetful, watch)
    assert [name for name, _, _ in watch.stages] == ["perturb"]


def test_a_failing_task_is_named_with_its_cause(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(context: Context, task: Task) -> Arrays:
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr(running, "STAGE_FUNCTIONS", {"score": broken})
    with pytest.raises(StageError, match=r"^score-00001-02 failed: ZeroDivisionError: on purpose$") as caught:
        perform(finished.job, Task("score", 1, 2))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_task_runs_on_one_thread_and_gives_the_others_back(
    finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def counting(context: Context, task: Task) -> Arrays:
        seen.append(torch.get_num_threads())
        raise RuntimeError

    monkeypatch.setattr(running, "STAGE_FUNCTIONS", {"score": counting})
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

    def overtaken(tasks: Sequence[Task], perform: Perform) -> Iterator[Outcome]:
        for number, outcome in enumerate(serially(tasks, perform)):
            if number == 1:
                run(job, serially, Watch())
            yield outcome

    run(job, overtaken, Watch())
    assert tree(job.store) == tree(finished.job.store)
