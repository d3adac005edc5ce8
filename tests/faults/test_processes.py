"""Processes that die, never return or are interrupted: nothing finished is lost, the same command goes on."""

import os
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from subprocess import Popen
from time import sleep

import psutil
import pytest
from audit_processes import Running, wait_for_end, wait_until, workers_of
from command_line import Command, CommandEnd
from dask_processes import scheduler, worker
from fault_trials import FaultTrial
from small_audits import lost_with, receipts

from pipeline.plan.tasks import Task

pytestmark = pytest.mark.faults

KILLS = 20
BAD = Task("perturb", 4, 1)
NO_REPORT = ("--stage", "score")
PATIENCE = 30  # seconds


def some_done(trial: FaultTrial, process: Running) -> set[str]:
    """Waits until tasks are finished, while the audit lasts; returns their keys."""
    wait_until(lambda: len(receipts(trial.store)) >= 3, process)
    return trial.done_tasks()


def slow(trial: FaultTrial, seconds: float = 0.5) -> None:
    """Every forward pass lasts, so that what happens to processes hits them at work."""
    trial.misbehaviour.write_text(f"slow {seconds}", encoding="utf-8")


def healed(trial: FaultTrial) -> FaultTrial:
    trial.misbehaviour.unlink()
    return trial


@pytest.mark.timeout(590)
def test_workers_that_die_at_random_times_cost_nothing(trial: FaultTrial) -> None:
    """Each after a random time since a task has been finished; one audit after the other until all have died."""
    random, kills, runs = Random(20), 0, [trial]
    slow(trial)
    while kills < KILLS:
        runs.append(replace(trial, out=f"run{len(runs)}"))
        process = runs[-1].start("--workers", 2, *NO_REPORT)
        kills += killed(runs[-1], process, random, KILLS - kills)
        end = wait_for_end(process)
        assert end.code == 0, end.err
        again = runs[-1].run("--workers", 2, *NO_REPORT)
        runs[-1].settle("a worker dies", end, 0, again)
        assert "perturb: nothing to do" in again.err


def killed(trial: FaultTrial, process: Running, random: Random, most: int) -> int:
    """Kills at most so many workers of a run; returns how many, before it ends."""
    n_tasks = len(list(trial.context.plan.all_tasks()))
    for n in range(most):
        seen, pause = len(receipts(trial.store)), random.uniform(0, 2)
        while len(receipts(trial.store)) == seen and process.poll() is None:
            sleep(0.02)
        sleep(pause)
        workers = workers_of(process)
        if not workers or len(receipts(trial.store)) == n_tasks:
            return n
        random.choice(workers).kill()
    return most


def test_a_command_that_dies_takes_its_workers_with_it(trial: FaultTrial) -> None:
    slow(trial)
    process = trial.start("--workers", 2, *NO_REPORT)
    before = some_done(trial, process)
    workers = workers_of(process)
    assert len(workers) == 2
    process.kill()
    _, alive = psutil.wait_procs(workers, PATIENCE)
    assert not alive
    end, lost = wait_for_end(process), before - trial.done_tasks()
    assert end.code == -signal.SIGKILL
    trial.settle("the command dies", end, len(lost), healed(trial).run("--workers", 2, *NO_REPORT))


@contextmanager
def cluster(folder: Path, port: int) -> Iterator[Popen[bytes]]:
    """The process of a scheduler that has two workers."""
    folder.mkdir()
    with scheduler(folder, port) as (address, process), worker(address, folder), worker(address, folder):
        yield process


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def test_a_scheduler_that_dies_is_replaced_and_the_run_goes_on(trial: FaultTrial, tmp_path: Path) -> None:
    slow(trial)
    port = free_port()
    options = ("--scheduler", f"tcp://127.0.0.1:{port}", *NO_REPORT)
    with cluster(tmp_path / "one", port) as process:
        command = trial.start(*options)
        before = some_done(trial, command)
        process.kill()
        end = wait_for_end(command)
    assert end.code == 4
    lost = before - trial.done_tasks()
    healed(trial)
    with cluster(tmp_path / "other", port):
        trial.settle("the scheduler dies", end, len(lost), trial.run(*options))


def test_a_task_that_never_returns_is_ended(trial: FaultTrial, command: Command) -> None:
    end = set_aside(trial, command, "hang", ("--workers", 2, "--task-limit", 5))
    assert "the limit of 5 seconds for a task" in end.err
    assert_goes_on(trial, "a task never returns", end, ("--workers", 2, "--task-limit", 5))


def test_a_task_that_kills_every_worker_is_set_aside(trial: FaultTrial, command: Command) -> None:
    end = set_aside(trial, command, "die", ("--workers", 2))
    assert_goes_on(trial, "a task kills every worker", end, ("--workers", 2))


def test_a_task_that_raises_is_tried_twice(trial: FaultTrial, command: Command) -> None:
    end = set_aside(trial, command, "fail", ())
    assert end.err.count(f"failed: {BAD.key} failed: FloatingPointError: on purpose\n") == 2
    assert_goes_on(trial, "a task raises", end, ())


def set_aside(trial: FaultTrial, command: Command, kind: str, options: tuple[object, ...]) -> CommandEnd:
    """Runs with a task that cannot end well: it is named by the run, by its report and by its status."""
    trial.misbehave(kind, BAD)
    end = trial.run(*options)
    assert end.code == 4, end.err
    assert f"error 1 tasks failed, the first: {BAD.key}" in end.err
    left_out = {task.key for task in lost_with(BAD, trial.context)}
    assert trial.done_tasks() == {task.key for task in trial.context.plan.all_tasks()} - left_out
    page = (trial.folder / "run" / "report" / "index.html").read_text(encoding="utf-8")
    assert "INCOMPLETE" in page
    assert BAD.key in page
    status = command("status", trial.folder / "run")
    assert status.code == 4
    assert f"\n{BAD.key}" in status.out
    return end


def assert_goes_on(trial: FaultTrial, fault: str, end: CommandEnd, options: tuple[object, ...]) -> None:
    before = trial.done_tasks()
    again = healed(trial).run(*options)
    trial.settle(fault, end, len(before - trial.done_tasks()), again)
    assert "INCOMPLETE" not in (trial.folder / "run" / "report" / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("workers", [0, 2])
def test_ctrl_c_ends_with_one_line_and_a_run_that_goes_on(trial: FaultTrial, command: Command, workers: int) -> None:
    slow(trial)
    process = trial.start("--workers", workers, *NO_REPORT)
    before = some_done(trial, process)
    os.killpg(process.pid, signal.SIGINT)
    end = wait_for_end(process)
    assert (end.code, end.out) == (130, "")
    *progressed, last = end.err.splitlines()
    assert last == "interrupted: the same command continues the run"
    told = (
        r"([a-z].* \.\.\.|starting 2 workers|100\.0% of 6 clean images .*|dashboard: http://\S+|perturb \d+/24 .* left)"
    )
    assert all(re.fullmatch(told, line) for line in progressed), end.err
    assert command("status", trial.folder / "run").code == 4
    lost = before - trial.done_tasks()
    again = healed(trial).run("--workers", workers, *NO_REPORT)
    trial.settle("Ctrl-C with workers" if workers else "Ctrl-C", end, len(lost), again)


def test_two_commands_at_once_end_as_one(trial: FaultTrial) -> None:
    slow(trial, 0.1)
    both = [trial.start(*NO_REPORT) for _ in range(2)]
    ends = [wait_for_end(process) for process in both]
    assert [end.code for end in ends] == [0, 0], ends
    trial.settle("two commands at once", ends[0], 0, healed(trial).run(*NO_REPORT))
