"""The cost of Dask: of a task that does nothing, in the driver and its scheduler, and of many workers that only sleep.

`python -m benchmarks.scheduling NAME '[ARGUMENT, ...]'` calls one of the two and prints what it returns as JSON.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

import dask
import psutil
from distributed import Client, LocalCluster

import reports.cli.running  # noqa: F401  which every run imports
from pipeline.execution.executors import Executor, Outcome, Work
from pipeline.execution.job import Job
from pipeline.execution.on_dask.executor import DaskExecutor, dask_executor
from pipeline.execution.on_dask.settings import configuration
from pipeline.machine.files import MIB
from pipeline.plan.tasks import Task
from pipeline.spec.audit import load_spec
from pipeline.spec.deployment import LocalSpec
from pipeline.store.location import Location

T = TypeVar("T")

SAMPLES = 10


@dataclass(frozen=True)
class Scheduling:
    """The cost of tasks that do nothing, in the process of driver and scheduler."""

    tasks: int
    cpu: float
    """The CPU seconds of all tasks."""
    elapsed: float
    memory: Sequence[float]
    """The resident MiB: before the cluster, with it, then after equal shares of the tasks."""


def call_apart(function: Callable[..., T], *arguments: object) -> T:
    """Call one of the two functions in a process that imports only what a run imports; return its result."""
    words = [sys.executable, "-P", "-W", "ignore", "-m", __name__, function.__name__, json.dumps(arguments)]
    returned: T = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout)
    return returned


def scheduling(path: str, tasks: int, workers: int) -> dict[str, Any]:
    """Return the fields of `Scheduling` for an audit's own job and executor, whose tasks `do_nothing` does."""
    spec = Path(path)
    job = Job(load_spec(spec), spec.parent.resolve(), Location("nowhere"))
    before = resident()
    with dask_executor(LocalSpec(workers=workers)) as executor:
        list(executor([Task("start", 0, column) for column in range(workers)], partial(do_nothing, job)))
        memory = [before, resident()]
        cpu, began = time.process_time(), time.perf_counter()
        memory += _sample_memory(
            executor([Task("score", tile, 0) for tile in range(tasks)], partial(do_nothing, job)), tasks
        )
        return asdict(Scheduling(tasks, time.process_time() - cpu, time.perf_counter() - began, memory))


def do_nothing(job: object, task: Task) -> Work:
    return Work("", "", 0, 0.0)


def _sample_memory(outcomes: Iterator[Outcome], tasks: int) -> list[float]:
    """Return the resident memory after each tenth of the outcomes."""
    period = max(1, tasks // SAMPLES)
    return [resident() for number, _ in enumerate(outcomes, 1) if number % period == 0]


def resident() -> float:
    return float(psutil.Process().memory_info().rss / MIB)


def efficiency(workers: int, tasks_each: int, seconds: float) -> float:
    """Return ideal over elapsed time of tasks that sleep.

    The workers are threads of this process behind real sockets.
    """
    with (
        patch("pipeline.execution.on_dask.submissions.ALONE", nullcontext()),  # it keeps tasks of one process apart
        dask.config.set(configuration()),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=False,
            protocol="tcp://",
            dashboard_address=None,
            memory_limit=0,  # each would count the memory of all
        ) as cluster,
        Client(cluster) as client,
    ):
        executor = DaskExecutor(lambda: client, LocalSpec(workers=workers), str)
        _time_sleep(executor, workers, 0.0)
        return tasks_each * seconds / _time_sleep(executor, workers * tasks_each, seconds)


def _time_sleep(executor: Executor, tasks: int, seconds: float) -> float:
    began = time.perf_counter()
    ended = list(executor([Task("score", tile, 0) for tile in range(tasks)], partial(sleep_through, seconds)))
    if len(ended) != tasks or any(outcome.error for outcome in ended):
        raise RuntimeError("a task that sleeps has failed")
    return time.perf_counter() - began


def sleep_through(seconds: float, task: Task) -> Work:
    time.sleep(seconds)
    return Work("", "", 0, seconds)


if __name__ == "__main__":
    functions: dict[str, Callable[..., object]] = {"scheduling": scheduling, "efficiency": efficiency}
    print(json.dumps(functions[sys.argv[1]](*json.loads(sys.argv[2]))))
