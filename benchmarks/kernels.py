"""What a whole audit takes beside its kernels: the stage functions alone, timed inside the tasks that call them."""

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
from pipeline.plan.tasks import Task
from pipeline.spec.audit import load_spec
from pipeline.spec.deployment import LocalSpec
from pipeline.stages.compute import compute
from pipeline.stages.context import Context
from pipeline.store.location import Location
from pipeline.store.store import Arrays

T = TypeVar("T")
WARMING = 2.0
"""Seconds that a worker is kept with one task, so that every other worker gets one as well."""


@dataclass(frozen=True)
class Timed(Work):
    """Seconds and CPU seconds of a task, and of the stage function within."""

    cpu: float
    kernel: float
    kernel_cpu: float


@dataclass(frozen=True)
class Audit:
    """What an audit took on some workers: seconds and CPU seconds of processes that were warm before."""

    workers: int
    tasks: Sequence[Timed]
    preparing: float
    starting: float
    """Until every worker had imported and loaded all that it needs."""
    elapsed: float
    """From the first task's submission to the end of the last."""
    driver_cpu: float

    @property
    def kernels(self) -> float:
        return sum(task.kernel for task in self.tasks)

    @property
    def overhead(self) -> float:
        """Of the elapsed time over kernels that are shared out without a gap."""
        return self.elapsed * self.workers / self.kernels - 1

    @property
    def cpu_overhead(self) -> float:
        """Of the CPU seconds of all processes over those of the kernels; of one process the driver is its tasks'."""
        spent = self.driver_cpu if self.workers == 1 else self.driver_cpu + sum(task.cpu for task in self.tasks)
        return spent / sum(task.kernel_cpu for task in self.tasks) - 1


@dataclass
class Timing:
    """An executor whose tasks time their kernels."""

    executor: Executor
    tasks: list[Timed] = field(default_factory=list)

    def __call__(self, tasks: Sequence[Task], perform: Perform) -> Iterator[Outcome]:
        for outcome in self.executor(tasks, partial(timed, perform)):
            if isinstance(outcome.work, Timed):
                self.tasks.append(outcome.work)
            yield outcome

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        return self.executor.call(function, *arguments)


def audited(spec: Path, home: Path, workers: int) -> Audit:
    """Runs the audit of a spec into `home`; 1 worker is this process."""
    job = Job(load_spec(spec), spec.parent.resolve(), Location(str(home)))
    preparing, prepared = clocked(partial(prepare_run, job, serial_executor))
    if workers == 1:
        return _filled(prepared, serial_executor, workers, preparing)
    with dask_executor(LocalSpec(workers=workers)) as executor:
        return _filled(prepared, executor, workers, preparing)


def _filled(prepared: PreparedRun, executor: Executor, workers: int, preparing: float) -> Audit:
    starting, _ = clocked(partial(_warm, prepared.job, executor, workers))
    timing, cpu = Timing(executor), time.process_time()
    elapsed, _ = clocked(partial(run, prepared, timing, Clock()))
    return Audit(workers, timing.tasks, preparing, starting, elapsed, time.process_time() - cpu)


def _warm(job: Job, executor: Executor, workers: int) -> None:
    """All workers but this process import and load at the same time, each with a task of its own."""
    seconds = WARMING if workers > 1 else 0.0
    tasks = [Task("warm", 0, column) for column in range(workers)]
    for outcome in executor(tasks, partial(_loaded, job, seconds)):
        if outcome.error is not None:
            raise outcome.error


def _loaded(job: Job, seconds: float, task: Task) -> Work:
    context_of(job)
    time.sleep(seconds)
    return Work("", devices.name(), os.getpid(), 0.0)


def timed(perform: Perform, task: Task) -> Timed:
    """Performs a task and times its stage function."""
    kernel: list[tuple[float, float]] = []
    began = time.process_time()
    with patch("pipeline.execution.worker.compute", partial(_measured, kernel, compute)):
        work = perform(task)
    ((seconds, cpu),) = kernel
    return Timed(**asdict(work), cpu=time.process_time() - began, kernel=seconds, kernel_cpu=cpu)


def _measured(
    into: list[tuple[float, float]], function: Callable[[Context, Task], Arrays], context: Context, task: Task
) -> Arrays:
    cpu = time.process_time()
    seconds, arrays = clocked(partial(function, context, task))
    into.append((seconds, time.process_time() - cpu))
    return arrays


def clocked(function: Callable[[], T]) -> tuple[float, T]:
    """Seconds that a function took, and what it returned."""
    began = time.perf_counter()
    result = function()
    return time.perf_counter() - began, result
