"""Clusters of processes on this machine, with or without a GPU for each."""

import logging
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from typing import Any

import dask
import distributed.utils
from distributed import LocalCluster, Nanny, Scheduler, SpecCluster

from pipeline.execution.fork_server import block_interrupts, forked_environment, start_fork_server
from pipeline.execution.on_dask.fixed_size import keep_workers
from pipeline.execution.on_dask.loggers import silence_logger
from pipeline.execution.on_dask.settings import ANY_PORT, FORKED, LOOPBACK
from pipeline.machine.limits import refuse_small_machine
from pipeline.machine.memory import total_memory
from pipeline.machine.outputs import AS_TEXT
from pipeline.spec.deployment import GpuSpec, LocalSpec
from srd.errors import ClusterError

FORKING = {
    "distributed.worker.multiprocessing-method": "forkserver",
    "distributed.scheduler.worker-saturation": 1.0,  # a task that waited on a worker would be blamed for its end too
}


@contextmanager
def local_cluster(spec: LocalSpec) -> Iterator[Any]:
    """Start processes of one thread each on this machine, forked of one that has imported what they need."""
    start_fork_server(FORKED)
    distributed.utils._forkserver_preload_set = True  # else Dask imports all that it can use, here, to name it
    size = {"n_workers": spec.workers, "threads_per_worker": 1, "memory_limit": memory_of_each(spec.workers)}
    address = {"host": LOOPBACK, "dashboard_address": ANY_PORT}
    start = partial(LocalCluster, **address, **size, env=forked_environment(FORKED))
    with dask.config.set(FORKING), _open_local_cluster(start, spec.workers) as cluster:
        yield cluster


def gpu_cluster(spec: GpuSpec) -> AbstractContextManager[Any]:
    """Start a process for each GPU of this machine.

    This process does not use CUDA: all processes that it starts would share what it used.
    """
    scheduler = {"cls": Scheduler, "options": {"dashboard_address": ANY_PORT, "host": LOOPBACK}}
    gpus = gpu_ids(spec.gpus)
    options = {"nthreads": 1, "host": LOOPBACK, "memory_limit": memory_of_each(len(gpus))}
    workers = {
        f"gpu{gpu}": {"cls": Nanny, "options": {**options, "env": {"CUDA_VISIBLE_DEVICES": gpu}}} for gpu in gpus
    }
    return _open_local_cluster(partial(SpecCluster, scheduler=scheduler, workers=workers), len(workers))


def memory_of_each(workers: int) -> int:
    """Return the bytes at which a worker of this machine is ended: an equal share of its memory.

    By default Dask gives a process its share of the processors instead, an eighth of the memory on eight cores.
    """
    return total_memory() // workers


def gpu_ids(count: int | None) -> tuple[str, ...]:
    """Return the value of `CUDA_VISIBLE_DEVICES` for each of `count` processes; without a count, for all visible GPUs.

    Raises
    ------
    ClusterError
        If there are no GPUs, or too few.
    """
    visible = _visible_gpus()
    if visible is None and count is not None:
        return tuple(map(str, range(count)))
    if not visible or len(visible) < (count or 1):
        way_out = "name another number of GPUs, or run on `--workers`"
        raise ClusterError(f"{len(visible or ())} GPUs are visible, {count or 'at least one'} asked for; {way_out}")
    return visible[:count]


def _visible_gpus() -> tuple[str, ...] | None:
    """Return the visible GPUs; None if the environment does not name them and no driver can be asked."""
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        return tuple(filter(None, os.environ["CUDA_VISIBLE_DEVICES"].split(",")))
    command = shutil.which("nvidia-smi")
    if command is None:
        return None
    listed = subprocess.run([command, "-L"], capture_output=True, check=False, **AS_TEXT).stdout.splitlines()
    return tuple(str(number) for number, _ in enumerate(line for line in listed if line.startswith("GPU ")))


@contextmanager
def _open_local_cluster(start: Callable[[], Any], workers: int) -> Iterator[Any]:
    """Start a cluster with this number of processes, and close it in the end."""
    refuse_small_machine(workers)
    with ExitStack() as stack:
        with _delay_interrupts():
            cluster = start()
            stack.callback(_close_quietly, cluster)
        keep_workers(cluster, workers)
        try:
            yield cluster
        except BaseException:
            with silence_logger("distributed", logging.CRITICAL):  # it tells of each connection that ends thereby
                _kill_workers(cluster)  # else closing waits for the tasks that they are in
                _close_quietly(cluster)
            raise


def _kill_workers(cluster: Any) -> None:
    """End the processes of a cluster at once, whose nannies start no others in their place."""
    for nanny in cluster.workers.values():
        nanny.auto_restart = False
        if nanny.process is not None and nanny.process.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(nanny.process.pid, signal.SIGKILL)


def _close_quietly(cluster: Any) -> None:
    """Close a cluster without a warning: a worker that was killed within an interrupted task is no news."""
    with silence_logger("distributed.nanny"):
        cluster.close()


@contextmanager
def _delay_interrupts() -> Iterator[None]:
    """Delay Ctrl-C until the context ends: it reaches all processes of a terminal, but only this one must answer.

    Threads and processes that are started within inherit that the signal is blocked. An older thread may still receive
    it.
    """
    came: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        with block_interrupts():
            yield
    finally:
        signal.signal(signal.SIGINT, handler)
        for number in came:
            signal.raise_signal(number)
