"""Compare a whole audit with its kernels: the stage functions alone, timed inside the tasks that call them."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

from benchmarks.gpu import Clock
from pipeline.execution.executors import Executor, Outcome, Perform, Work, serial_executor
from pipeline.execution.job import Job
from pipeline.execution.on_dask.executor import dask_executor
from pipeline.execution.run import PreparedRun, prepare_run, run
from pipeline.execution.subjects import context_of
from pipeline.machine import devices
from pipeline.machine.phases import Tell
from pipeline.plan.tasks import Task
from pipeline.spec.audit import load_spec
from pipeline.spec.deployment import LocalSpec
from pipeline.stages.compute import compute
from pipeline.stages.context import Context
from pipeline.store.location import Location
from pipeline.store.store import Arrays

T = TypeVar("T")
WARMING = 2.0
"""Seconds that a worker keeps one task, so that every other worker gets one as well."""


@dataclass(frozen=True)
class Timed(Work):
    """Seconds and CPU seconds of a task, and of the stage function within."""

    cpu: float
    kernel: float
    kernel_cpu: float


@dataclass(frozen=True)
class Audit:
    """Seconds and CPU seconds of an audit on some workers, whose processes were warm before."""

    workers: int
    tasks: Sequence[Timed]
    preparing: float
    starting: float
    """Seconds until every worker had imported and loaded all that it needs."""
    elapsed: float
    """Seconds from the submission of the first task to the end of the last."""
    driver_cpu: float

    @property
    def kernels(self) -> float:
        return sum(task.kernel for task in self.tasks)

    @property
    def overhead(self) -> float:
        """Return the overhead of the elapsed time over kernels that are divided among the workers without a gap."""
        return self.elapsed * self.workers / self.kernels - 1

    @property
    def cpu_overhead(self) -> float:
        """Return the overhead of the CPU seconds of all processes over those of the kernels.

        In one process, the driver's seconds are those of its tasks.
        """
        spent = self.driver_cpu if self.workers == 1 else self.driver_cpu + sum(task.cpu for task in self.tasks)
        return spent / sum(task.kernel_cpu for task in self.tasks) - 1


@dataclass
class Timing:
    """An executor whose tasks time their kernels."""

    executor: Executor
    tasks: list[Timed] = field(default_factory=list)

    @property
    def workers(self) -> int:
        return self.executor.workers

    def __call__(self, tasks: Sequence[Task], perform: Perform) -> Iterator[Outcome]:
        for outcome in self.executor(tasks, partial(time_task, perform)):
            if isinstance(outcome.work, Timed):
                self.tasks.append(outcome.work)
            yield outcome

    def call(self, function: Callable[..., T], *arguments: Any, tell: Tell | None = None) -> T:
        return self.executor.call(function, *arguments, tell=tell)


def run_audit(spec: Path, home: Path, workers: int) -> Audit:
    """Run the audit of a spec into `home`; 1 worker is this process."""
    job = Job(load_spec(spec), spec.parent.resolve(), Location(str(home)))
    preparing, prepared = clock(partial(prepare_run, job, serial_executor))
    if workers == 1:
        return _measure_run(prepared, serial_executor, workers, preparing)
    with dask_executor(LocalSpec(workers=workers)) as executor:
        return _measure_run(prepared, executor, workers, preparing)


def _measure_run(prepared: PreparedRun, executor: Executor, workers: int, preparing: float) -> Audit:
    starting, _ = clock(partial(_warm, prepared.job, executor, workers))
    timing, cpu = Timing(executor), time.process_time()
    elapsed, _ = clock(partial(run, prepared, timing, Clock()))
    return Audit(workers, timing.tasks, preparing, starting, elapsed, time.process_time() - cpu)


def _warm(job: Job, executor: Executor, workers: int) -> None:
    """Let all workers but this process import and load at the same time, each with a task of its own."""
    seconds = WARMING if workers > 1 else 0.0
    tasks = [Task("warm", 0, column) for column in range(workers)]
    for outcome in executor(tasks, partial(_load_and_wait, job, seconds)):
        if outcome.error is not None:
            raise outcome.error


def _load_and_wait(job: Job, seconds: float, task: Task) -> Work:
    context_of(job)
    time.sleep(seconds)
    return Work("", devices.name(), os.getpid(), 0.0)


def time_task(perform: Perform, task: Task) -> Timed:
    """Perform a task and time its stage function."""
    kernel: list[tuple[float, float]] = []
    began = time.process_time()
    with patch("pipeline.execution.worker.compute", partial(_measure_kernel, kernel, compute)):
        work = perform(task)
    ((seconds, cpu),) = kernel
    return Timed(**asdict(work), cpu=time.process_time() - began, kernel=seconds, kernel_cpu=cpu)


def _measure_kernel(
    into: list[tuple[float, float]], function: Callable[[Context, Task], Arrays], context: Context, task: Task
) -> Arrays:
    cpu = time.process_time()
    seconds, arrays = clock(partial(function, context, task))
    into.append((seconds, time.process_time() - cpu))
    return arrays


def clock(function: Callable[[], T]) -> tuple[float, T]:
    """Return the seconds that a function took, and its result."""
    began = time.perf_counter()
    result = function()
    return time.perf_counter() - began, result
