"""Real processes: schedulers and workers that others start, tasks that never return, tasks that kill."""

import json
import os
import re
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from time import monotonic, sleep

import pytest
from bare_environment import bare_process, bare_python
from dask_processes import IMPORTS, process, scheduler, scheduler_with_workers, worker
from small_audits import Finished, finish, tree

from pipeline.execution.executors import Outcome, Work
from pipeline.execution.on_dask import settings
from pipeline.execution.on_dask.executor import dask_executor
from pipeline.plan.tasks import Task
from pipeline.spec.deployment import LocalSpec, SchedulerSpec, SlurmSpec
from srd.errors import ClusterError, IncompleteRun, WorkerLost

pytestmark = [pytest.mark.faults, pytest.mark.filterwarnings("ignore")]

TASKS = [Task("perturb", tile, column) for tile in range(4) for column in range(3)]
LAST = TASKS[-1]


def done(seconds: float = 0.0) -> Work:
    sleep(seconds)
    return Work("here", "cpu", os.getpid(), seconds)


def never_returns(task: Task) -> Work:
    """The last task is in C code that holds the interpreter lock."""
    if task == LAST:
        re.match(r"(a+)+$", "a" * 60 + "b")
    return done()


def kills(task: Task) -> Work:
    """The last task takes every worker with it."""
    if task == LAST:
        os.kill(os.getpid(), signal.SIGKILL)
    return done()


def only_failure(outcomes: Sequence[Outcome]) -> WorkerLost:
    """That of the last task; all others have ended well."""
    assert {outcome.task for outcome in outcomes if outcome.work} == set(TASKS[:-1])
    (failed,) = [outcome for outcome in outcomes if outcome.error]
    assert failed.task == LAST
    assert isinstance(failed.error, WorkerLost)
    assert failed.error.exit_code == 4
    return failed.error


def test_a_task_that_never_returns_is_ended_and_the_rest_finish() -> None:
    with dask_executor(LocalSpec(workers=2, task_limit=1.0)) as executor:
        lost = only_failure(list(executor(TASKS, never_returns)))
    assert str(lost).startswith(f"{LAST.key}: 4 workers died while they ran it; ")
    assert "the limit of 1 seconds for a task" in str(lost)


def test_a_task_that_kills_every_worker_is_set_aside_and_the_rest_finish() -> None:
    told: list[str] = []
    with dask_executor(LocalSpec(workers=2), told.append) as executor:
        lost = only_failure(list(executor(TASKS, kills)))
    assert "limit" not in str(lost)
    assert any("workers were lost, " in line and "is done again" in line for line in told)


def test_workers_that_somebody_started_make_the_same_bytes(finished: Finished, spec: Path, tmp_path: Path) -> None:
    with (
        scheduler_with_workers(tmp_path, 2) as address,
        dask_executor(SchedulerSpec(address=address)) as executor,
    ):
        watch = finish(spec, tmp_path / "run", executor).watch
        assert executor.call(os.getpid) not in {os.getpid(), os.getppid()}
    assert tree(tmp_path / "run" / "audit.zarr") == tree(finished.job.store)
    processes = {outcome.work.process for outcome in watch.outcomes if outcome.work}
    assert len(processes) == 2
    assert os.getpid() not in processes


def test_two_audits_on_one_scheduler_do_not_take_each_others_tasks(tmp_path: Path) -> None:
    with (
        scheduler_with_workers(tmp_path, 1) as address,
        dask_executor(SchedulerSpec(address=address)) as one,
        dask_executor(SchedulerSpec(address=address)) as other,
    ):
        folders = {one: tmp_path / "one", other: tmp_path / "other"}
        running = [executor(TASKS, partial(noted, folder)) for executor, folder in folders.items()]
        ended = [outcome for both in zip(*running, strict=True) for outcome in both]
    assert [outcome.error for outcome in ended] == [None] * 2 * len(TASKS)
    assert {path.name for path in (tmp_path / "one").iterdir()} == {task.key for task in TASKS}
    assert {path.name for path in (tmp_path / "other").iterdir()} == {task.key for task in TASKS}


def noted(folder: Path, task: Task) -> Work:
    folder.mkdir(exist_ok=True)
    (folder / task.key).touch(exist_ok=False)
    return done()


def test_workers_that_come_later_are_given_tasks(tmp_path: Path) -> None:
    with scheduler_with_workers(tmp_path, 1) as address, dask_executor(SchedulerSpec(address=address)) as executor:
        running = executor([Task("perturb", tile, 0) for tile in range(60)], slow)
        processes = {worked(next(running)).process for _ in range(2)}
        with worker(address, tmp_path):
            processes |= {worked(outcome).process for outcome in running}
    assert len(processes) == 2


def slow(task: Task) -> Work:
    return done(0.5)


def worked(outcome: Outcome) -> Work:
    assert outcome.work is not None
    return outcome.work


def test_a_lost_scheduler_says_how_to_go_on(tmp_path: Path) -> None:
    with (
        scheduler(tmp_path) as (address, process),
        worker(address, tmp_path),
        dask_executor(SchedulerSpec(address=address)) as executor,
    ):
        running = executor(TASKS, slow)
        next(running)
        process.kill()
        with pytest.raises(IncompleteRun, match="lost the scheduler; run the same command again to continue"):
            list(running)


def test_workers_that_do_not_come_back_end_the_run(tmp_path: Path) -> None:
    with (
        scheduler(tmp_path) as (address, _),
        dask_executor(SchedulerSpec(address=address, worker_timeout=20.0)) as executor,
    ):
        with worker(address, tmp_path):
            running = executor(TASKS, slow)
            next(running)
        with pytest.raises(IncompleteRun, match="no worker for 20 seconds; start some, and run the same command"):
            list(running)


SBATCH = """#!{python}
import pathlib, re, subprocess, sys
if "--test-only" in sys.argv:
    refused = "-A nobody" in pathlib.Path(sys.argv[-1]).read_text()
    sys.exit("Invalid account" if refused else 0)
script = pathlib.Path(sys.argv[-1]).read_text()
walltime = re.search("#SBATCH -t ([0-9]+):([0-9]+):([0-9]+)", script)
seconds = sum(int(part) * unit for part, unit in zip(walltime.groups(), (3600, 60, 1)))
running = subprocess.Popen(["timeout", "--signal=KILL", str(seconds), "bash", "-c", script], start_new_session=True,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print("Submitted batch job", running.pid)
"""
SCANCEL = """#!{python}
import os, signal, sys
for job in sys.argv[1:]:
    try:
        os.killpg(int(job), signal.SIGTERM)
    except ProcessLookupError:
        pass
"""


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands of SLURM's names that run jobs on this machine at once."""
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (tmp_path / name).write_text(text.format(python=sys.executable), encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("PYTHONPATH", IMPORTS["PYTHONPATH"])


def test_slurm_jobs_make_the_same_bytes(slurm: None, finished: Finished, spec: Path, tmp_path: Path) -> None:
    cluster = SlurmSpec(workers=2, memory="2GiB", directives=("--comment=small",), interface="lo")
    with dask_executor(cluster) as executor:
        finish(spec, tmp_path / "run", executor)
    assert tree(tmp_path / "run" / "audit.zarr") == tree(finished.job.store)


def test_modules_of_our_names_where_a_job_starts_are_not_taken_for_ours(
    slurm: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("attacks.py", "pipeline.py", "srd.py"):
        (tmp_path / name).write_text("raise SystemError('of a user')\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with dask_executor(SlurmSpec(workers=1, memory="2GiB", interface="lo", worker_timeout=60.0)) as executor:
        assert executor.call(divmod, 7, 2) == (3, 1)


def counted(folder: Path, task: Task) -> Work:
    with (folder / task.key).open("a", encoding="utf-8") as file:
        file.write("done\n")
    return done(1.0)


def test_a_walltime_ends_workers_between_tasks_and_others_follow(
    slurm: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each job ends after 60 seconds; its worker leaves after 30, and no task is counted as one that kills workers."""
    monkeypatch.setitem(settings.CLUSTER, "distributed.deploy.lost-worker-timeout", "2s")
    monkeypatch.setitem(settings.SCHEDULER, "distributed.scheduler.allowed-failures", 0)
    cluster = SlurmSpec(workers=1, memory="2GiB", walltime="00:01:00", interface="lo", worker_timeout=200.0)
    tasks, folder = [Task("perturb", tile, 0) for tile in range(60)], tmp_path / "done"
    folder.mkdir()
    with dask_executor(cluster) as executor:
        outcomes = list(executor(tasks, partial(counted, folder)))
    assert [outcome.error for outcome in outcomes] == [None] * len(tasks)
    jobs = {worked(outcome).process for outcome in outcomes}
    assert len(jobs) >= 2
    times = [len(file.read_text(encoding="utf-8").splitlines()) for file in folder.iterdir()]
    assert len(times) == len(tasks)
    assert sum(times) - len(tasks) < len(jobs)  # at most the task that a leaving worker had begun


def test_a_job_that_slurm_refuses_is_told_at_once(slurm: None) -> None:
    refused = pytest.raises(ClusterError, match=r"SLURM refuses the job: Invalid account; change \[cluster\]")
    with dask_executor(SlurmSpec(workers=1, memory="2GiB", account="nobody", interface="lo")) as executor, refused:
        executor.call(os.getpid)


UNFIT = (
    r"the worker tcp://127.0.0.1:\d+, .*/bare/bin/python on .*, cannot run this project: "
    r"it has no package attacks, pipeline, srd of this project; install this project there"
)


def test_a_worker_without_this_project_is_told_at_once(tmp_path: Path) -> None:
    began = monotonic()
    with (
        scheduler(tmp_path) as (address, _),
        bare_process(tmp_path, "worker", address, "--nthreads", 1, "--no-nanny", "--no-dashboard"),
        dask_executor(SchedulerSpec(address=address)) as executor,
        pytest.raises(ClusterError, match=UNFIT) as refused,
    ):
        executor.call(os.getpid)
    assert refused.value.exit_code == 5
    assert monotonic() - began < 60


def test_a_worker_without_this_project_that_comes_later_stops_the_run(tmp_path: Path) -> None:
    with scheduler_with_workers(tmp_path, 1) as address, dask_executor(SchedulerSpec(address=address)) as executor:
        running = executor([Task("perturb", tile, 0) for tile in range(30)], slow)
        next(running)
        late = bare_process(tmp_path, "worker", address, "--nthreads", 1, "--no-dashboard")
        with late, pytest.raises(ClusterError, match=UNFIT):
            assert [outcome.error for outcome in running] == [None] * 29


def test_a_scheduler_without_this_project_is_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "scheduler.json"
    with bare_process(tmp_path, "scheduler", "--host", "127.0.0.1", "--port", 0, "--scheduler-file", file):
        while not file.exists() or not file.read_text(encoding="utf-8"):
            sleep(0.05)
        address = json.loads(file.read_text(encoding="utf-8"))["address"]
        refused = pytest.raises(ClusterError, match=r"the scheduler, .*/bare/bin/python on .*, cannot run this project")
        with dask_executor(SchedulerSpec(address=address)) as executor, refused:
            executor.call(os.getpid)


def test_slurm_jobs_without_this_project_are_not_submitted_for_ever(
    slurm: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONPATH")
    monkeypatch.chdir(tmp_path)  # which Python would look into
    python = str(bare_python(tmp_path / "bare"))
    cluster = SlurmSpec(workers=2, memory="2GiB", interface="lo", python=python, worker_timeout=100.0)
    with dask_executor(cluster) as executor, pytest.raises(ClusterError, match="cannot run this project"):
        executor.call(os.getpid)


def test_a_worker_that_comes_paused_by_its_memory_works(
    finished: Finished, spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As somebody starts it who has not read which thresholds to switch off."""
    monkeypatch.setenv("DASK_DISTRIBUTED__WORKER__MEMORY__PAUSE", "0.001")
    with (
        scheduler(tmp_path) as (address, _),
        process("worker", address, "--nthreads", 1, "--no-dashboard", "--memory-limit", "8GiB"),
        dask_executor(SchedulerSpec(address=address)) as executor,
    ):
        finish(spec, tmp_path / "run", executor)
    assert tree(tmp_path / "run" / "audit.zarr") == tree(finished.job.store)
