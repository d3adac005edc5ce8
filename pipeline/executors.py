"""Who runs tasks: this process, or Dask. The only module that knows Dask; both must give the same bytes."""

import logging
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any, Protocol

from pipeline.plan import Task
from srd.errors import IncompleteRun

Perform = Callable[[Task], None]
"""Runs a task to its receipt."""

WINDOW = 2  # tasks submitted per worker thread: enough to keep it busy, few to lose with it
ANY_PORT = "127.0.0.1:0"  # of the dashboard; None would take 8787, and warn where another audit has it
MIB = 2**20
SETTINGS = {
    "distributed.scheduler.allowed-failures": 3,
    "distributed.scheduler.no-workers-timeout": "5 minutes",
    "distributed.scheduler.worker-ttl": "30 minutes",  # an attack may hold the interpreter for minutes
    "distributed.nanny.pre-spawn-environ.DASK_LOGGING__DISTRIBUTED": "critical",  # the run reports what fails
    "distributed.worker.memory.target": False,  # tasks return nothing: there is nothing to spill
    "distributed.worker.memory.spill": False,
    # Dask trims freed memory at once; giving each tensor back to the kernel cost more than a third of the time
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 512 * MIB,
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": 1024 * MIB,
}


@dataclass(frozen=True)
class Outcome:
    """How a task ended."""

    task: Task
    error: BaseException | None = None


class Executor(Protocol):
    """Runs tasks in any order and yields each outcome as it comes."""

    def __call__(self, tasks: Sequence[Task], perform: Perform) -> Iterator[Outcome]: ...


def serially(tasks: Sequence[Task], perform: Perform) -> Iterator[Outcome]:
    """One task after the other in this process: the definition of what every executor does."""
    for task in tasks:
        yield _outcome(task, perform)


@contextmanager
def on_dask(n_workers: int) -> Iterator[Executor]:
    """Runs tasks on an embedded LocalCluster of processes with one thread each, which starts with the first task."""
    with ExitStack() as stack:
        client = cache(lambda: stack.enter_context(_started(n_workers)))

        def execute(tasks: Sequence[Task], perform: Perform) -> Iterator[Outcome]:
            return _windowed(client(), WINDOW * n_workers, tasks, perform) if tasks else iter(())

        yield execute


@contextmanager
def _started(n_workers: int) -> Iterator[Any]:
    import dask  # its import costs a second that other commands need not pay
    from distributed import Client, LocalCluster

    with dask.config.set(SETTINGS):
        with _interrupts_ignored():
            cluster = LocalCluster(n_workers=n_workers, threads_per_worker=1, dashboard_address=ANY_PORT)
        with _closed_quietly(cluster), Client(cluster) as client:
            yield client


@contextmanager
def _closed_quietly(cluster: Any) -> Iterator[None]:
    """Closes the cluster in the end; that a worker was killed in the middle of an interrupted task is no news."""
    log = logging.getLogger("distributed.nanny")
    level = log.level
    try:
        yield
    finally:
        log.setLevel(logging.ERROR)
        cluster.close()
        log.setLevel(level)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Processes started within inherit it: Ctrl-C reaches all of the terminal's, and only this one must answer."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _windowed(client: Any, window: int, tasks: Sequence[Task], perform: Perform) -> Iterator[Outcome]:
    """Keeps `window` tasks submitted, so that memory is flat and little is lost with a worker."""
    from distributed import as_completed

    remaining = iter(tasks)
    submitted: dict[str, Task] = {}

    def submit(task: Task) -> Any:
        submitted[task.key] = task
        return client.submit(perform, task, key=task.key, pure=False)

    running = as_completed([submit(task) for task in islice(remaining, window)])
    for future in running:
        yield _settled(submitted.pop(future.key), future)
        future.release()
        following = next(remaining, None)
        if following is not None:
            running.add(submit(following))


def _settled(task: Task, future: Any) -> Outcome:
    if future.status == "cancelled":
        raise IncompleteRun(f"{task.key}: lost the scheduler; run the same command again to continue")
    # asked of failed tasks only: dask reports an interrupt as an error of its own while it waits for the answer
    return Outcome(task, future.exception() if future.status == "error" else None)


def _outcome(task: Task, perform: Perform) -> Outcome:
    try:
        perform(task)
    except Exception as error:  # noqa: BLE001  whatever a task raises is recorded; the other tasks go on
        return Outcome(task, error)
    return Outcome(task)
