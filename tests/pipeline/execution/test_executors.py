"""Laws of executors: every task once, each outcome with its task, few at a time; Dask as the serial definition."""

import os
import signal
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from threading import get_ident
from time import sleep
from typing import Any

import pytest
from distributed import LocalCluster

from pipeline.execution.executors import Executor, Outcome, Work, serial_executor
from pipeline.execution.on_dask.executor import WINDOW, dask_executor
from pipeline.plan.tasks import Task
from pipeline.spec.deployment import LocalSpec, SchedulerSpec
from srd.errors import ClusterError, StageError

TASKS = [Task("perturb", tile, column) for tile in range(4) for column in range(3)]


@pytest.fixture(scope="module")
def dask() -> Iterator[Executor]:
    with dask_executor(LocalSpec(workers=2)) as executor:
        yield executor


@pytest.fixture(params=["serially", "on dask"])
def executor(request: pytest.FixtureRequest) -> Executor:
    return serial_executor if request.param == "serially" else request.getfixturevalue("dask")


def leave_a_note(folder: Path, task: Task) -> Work:
    with (folder / task.key).open("a", encoding="utf-8") as file:
        file.write("done\n")
    return Work("here", "cpu", os.getpid(), 0.5)


def fail_at_times(folder: Path, task: Task) -> Work:
    leave_a_note(folder, task)
    if task.column == 1:
        raise StageError(f"{task.key} failed: ValueError: on purpose")
    if task.column == 2:
        raise OSError(28, "No space left on device")
    return Work("here", "cpu", os.getpid(), 0.5)


def outcomes(executor: Executor, tasks: Sequence[Task], perform: Any) -> dict[Task, BaseException | None]:
    ended = list(executor(tasks, perform))
    assert len({outcome.task for outcome in ended}) == len(ended)
    return {outcome.task: outcome.error for outcome in ended}


def test_every_task_runs_once_and_has_an_outcome(executor: Executor, tmp_path: Path) -> None:
    assert outcomes(executor, TASKS, partial(leave_a_note, tmp_path)) == dict.fromkeys(TASKS)
    assert {file.name: file.read_text(encoding="utf-8") for file in tmp_path.iterdir()} == {
        task.key: "done\n" for task in TASKS
    }


@pytest.mark.parametrize("n", range(2 * WINDOW + 3))
def test_no_task_is_lost_at_any_number(executor: Executor, tmp_path: Path, n: int) -> None:
    tasks = TASKS[:n]
    assert outcomes(executor, tasks, partial(leave_a_note, tmp_path)) == dict.fromkeys(tasks)
    assert len(list(tmp_path.iterdir())) == n


class Shared:
    """What all tasks are given; knows how often it was pickled here, and made anew there."""

    pickled = 0
    made = 0

    def __getstate__(self) -> dict[str, bytes]:
        Shared.pickled += 1
        return {"spec": bytes(10_000)}

    def __setstate__(self, state: dict[str, bytes]) -> None:
        Shared.made += 1

    def times_made(self, task: Task) -> Work:
        return Work("here", "cpu", os.getpid(), Shared.made)


def test_what_tasks_share_is_pickled_once_and_unpickled_once_by_each_worker(dask: Executor) -> None:
    Shared.pickled = 0
    works = [outcome.work for outcome in dask(TASKS, Shared().times_made)]
    assert Shared.pickled == 1
    assert [work.seconds for work in works if work] == [1] * len(TASKS)


@pytest.mark.filterwarnings("ignore")
def test_what_a_task_raises_is_its_outcome_and_the_others_go_on(executor: Executor, tmp_path: Path) -> None:
    ended = outcomes(executor, TASKS, partial(fail_at_times, tmp_path))
    assert {task for task, error in ended.items() if error is None} == {task for task in TASKS if task.column == 0}
    for task, error in ended.items():
        if task.column == 1:
            assert isinstance(error, StageError)
            assert str(error) == f"{task.key} failed: ValueError: on purpose"
        if task.column == 2:
            assert isinstance(error, OSError)
            assert error.errno == 28
    assert {file.read_text(encoding="utf-8") for file in tmp_path.iterdir()} == {"done\n"}


def test_the_serial_executor_keeps_the_order_and_runs_on_demand(tmp_path: Path) -> None:
    running = serial_executor(TASKS, partial(leave_a_note, tmp_path))
    assert next(running) == Outcome(TASKS[0], work=Work("here", "cpu", os.getpid(), 0.5))
    assert [file.name for file in tmp_path.iterdir()] == [TASKS[0].key]
    assert [outcome.task for outcome in running] == TASKS[1:]


def test_an_interrupt_is_no_outcome() -> None:
    def interrupted(task: Task) -> Work:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(serial_executor(TASKS, interrupted))


def test_dask_holds_few_tasks_at_a_time(dask: Executor, tmp_path: Path) -> None:
    running = dask(TASKS, partial(leave_a_note, tmp_path))
    for ended, _ in enumerate(running):
        assert len(list(tmp_path.iterdir())) <= ended + 2 * WINDOW
    assert len(list(tmp_path.iterdir())) == len(TASKS)


def die_once(folder: Path, task: Task) -> Work:
    """Takes the whole worker with it the first time that task 5 runs."""
    if task == TASKS[5] and not (folder / "died").exists():
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return leave_a_note(folder, task)


@pytest.mark.filterwarnings("ignore")
def test_a_killed_worker_costs_no_task(dask: Executor, tmp_path: Path) -> None:
    assert outcomes(dask, TASKS, partial(die_once, tmp_path)) == dict.fromkeys(TASKS)
    assert {file.name for file in tmp_path.iterdir()} == {"died", *(task.key for task in TASKS)}


def test_no_cluster_starts_without_a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(**_: Any) -> None:
        raise AssertionError("a cluster was started")

    monkeypatch.setattr("pipeline.execution.on_dask.local.LocalCluster", refused)
    with dask_executor(LocalSpec(workers=2)) as executor:
        assert list(executor([], leave_nothing)) == []
        with pytest.raises(ClusterError, match="a cluster was started"):
            list(executor(TASKS, leave_nothing))


def leave_nothing(task: Task) -> Work:
    """A task without effect."""
    return Work("here", "cpu", os.getpid(), 0.0)


inside: list[Task] = []


def overlaps(task: Task) -> Work:
    inside.append(task)
    sleep(0.02)
    assert inside == [task]
    inside.remove(task)
    return Work("here", "cpu", os.getpid(), 0.02)


def test_two_tasks_never_share_a_process() -> None:
    """Not even where a worker that came later has threads: here two workers are threads of this process."""
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address="127.0.0.1:0"
        ) as cluster,
        dask_executor(SchedulerSpec(address=cluster.scheduler_address)) as executor,
    ):
        ended = list(executor(TASKS, overlaps))
        assert executor.call(get_ident) != get_ident()
    assert [outcome.error for outcome in ended] == [None] * len(TASKS)


def test_what_a_task_took_is_told(executor: Executor, tmp_path: Path) -> None:
    for outcome in executor(TASKS, partial(leave_a_note, tmp_path)):
        assert outcome.work is not None
        assert outcome.work.host == "here"
        assert (outcome.work.process == os.getpid()) == (executor is serial_executor)


def raise_lookup_error() -> None:
    raise LookupError("on purpose")


def test_a_function_runs_where_tasks_run(executor: Executor) -> None:
    assert (executor.call(os.getpid) == os.getpid()) == (executor is serial_executor)
    assert executor.call(divmod, 7, 2) == (3, 1)
    with pytest.raises(LookupError, match="on purpose"):
        executor.call(raise_lookup_error)
