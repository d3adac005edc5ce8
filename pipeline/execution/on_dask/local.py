"""Clusters of processes of this machine, with or without a GPU each."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from multiprocessing.resource_tracker import ensure_running
from typing import Any

from distributed import LocalCluster, Nanny, Scheduler, SpecCluster

from pipeline.execution.on_dask.keeping import keep_workers
from pipeline.execution.on_dask.quiet import silence_logger
from pipeline.spec.deployment import GpuSpec, LocalSpec
from srd.errors import ClusterError

ANY_PORT = "127.0.0.1:0"  # of the dashboard; None would take 8787, and warn where another audit has it


def local_cluster(spec: LocalSpec) -> AbstractContextManager[Any]:
    """Start processes of one thread each on this machine."""
    start = partial(LocalCluster, n_workers=spec.workers, threads_per_worker=1, dashboard_address=ANY_PORT)
    return _open_local_cluster(start, spec.workers)


def gpu_cluster(spec: GpuSpec) -> AbstractContextManager[Any]:
    """Start a process for each GPU of this machine.

    This one leaves CUDA alone: what it touched, all that it starts would share.
    """
    scheduler = {"cls": Scheduler, "options": {"dashboard_address": ANY_PORT, "host": "127.0.0.1"}}
    workers = {
        f"gpu{gpu}": {"cls": Nanny, "options": {"nthreads": 1, "env": {"CUDA_VISIBLE_DEVICES": gpu}}}
        for gpu in gpu_ids(spec.gpus)
    }
    return _open_local_cluster(partial(SpecCluster, scheduler=scheduler, workers=workers), len(workers))


def gpu_ids(count: int | None) -> tuple[str, ...]:
    """What `CUDA_VISIBLE_DEVICES` is in each of `count` processes; all that this one may see if there is no count.

    Raises ClusterError if there are none, or fewer.
    """
    visible = _visible_gpus()
    if visible is None and count is not None:
        return tuple(map(str, range(count)))
    if not visible or len(visible) < (count or 1):
        way_out = "name another number of GPUs, or run on `--workers`"
        raise ClusterError(f"{len(visible or ())} GPUs are visible, {count or 'at least one'} asked for; {way_out}")
    return visible[:count]


def _visible_gpus() -> tuple[str, ...] | None:
    """None where the environment does not say and there is no driver to ask."""
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        return tuple(filter(None, os.environ["CUDA_VISIBLE_DEVICES"].split(",")))
    command = shutil.which("nvidia-smi")
    if command is None:
        return None
    listed = subprocess.run([command, "-L"], capture_output=True, text=True, check=False).stdout.splitlines()
    return tuple(str(number) for number, _ in enumerate(line for line in listed if line.startswith("GPU ")))


@contextmanager
def _open_local_cluster(start: Callable[[], Any], workers: int) -> Iterator[Any]:
    """A cluster of so many processes of this machine."""
    with ExitStack() as stack:
        with _delay_interrupts():
            cluster = start()
            stack.callback(_close_quietly, cluster)
        keep_workers(cluster, workers)
        yield cluster


def _close_quietly(cluster: Any) -> None:
    """That a worker was killed in the middle of an interrupted task is no news."""
    with silence_logger("distributed.nanny"):
        cluster.close()


@contextmanager
def _delay_interrupts() -> Iterator[None]:
    """Ctrl-C reaches all processes of a terminal, and only this one must answer, at the end of the context.

    Threads and processes started within inherit that the signal is blocked; a thread from before may still take it.
    """
    came: list[int] = []
    ensure_running()  # multiprocessing's tracker unblocks the signal in the thread that starts it
    handler = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, handler)
        for number in came:
            signal.raise_signal(number)
