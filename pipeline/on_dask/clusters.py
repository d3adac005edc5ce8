"""Clusters of one process with one thread for each worker, each started as its spec says and closed in the end."""

import logging
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from multiprocessing.resource_tracker import ensure_running
from time import monotonic, sleep
from types import MappingProxyType
from typing import Any

from pipeline.deployment import ClusterSpec, GpuSpec, KubernetesSpec, LocalSpec, SchedulerSpec, SlurmSpec
from pipeline.on_dask.kubernetes import kubernetes_cluster
from pipeline.on_dask.settings import configuration
from pipeline.on_dask.slurm import refuse_without_slurm, slurm_cluster
from srd.errors import ClusterError

Tell = Callable[[str], object]
"""Is told what the cluster waits for, and where its dashboard is."""

ANY_PORT = "127.0.0.1:0"  # of the dashboard; None would take 8787, and warn where another audit has it
ADAPTIVE = "distributed.deploy.adaptive"  # warns of each worker that dies before it is known, and starts another
ANSWERS = 10  # seconds in which a scheduler must
ASKED_AGAIN = 0.5  # seconds after which a cluster without workers is asked again


@contextmanager
def started(spec: ClusterSpec, tell: Tell) -> Iterator[Any]:
    """A client of the spec's cluster with at least one worker.

    Raises ClusterError if nobody answers, if no worker comes within `worker_timeout` seconds, or if one has more
    threads than one.
    """
    import dask  # its import costs a second that other commands need not pay
    from distributed import Client  # before the configuration: that of its import is to stay

    with dask.config.set(configuration()), _quiet(ADAPTIVE), KINDS[type(spec)](spec) as cluster:
        try:
            client = Client(cluster, timeout=ANSWERS)
        except (OSError, ValueError) as error:
            way_out = "start `dask scheduler` there, or name another address"
            raise ClusterError(f"{cluster}: no scheduler answers ({error}); {way_out}") from error
        with client:
            tell(f"dashboard: {client.dashboard_link}")
            _wait_for_workers(client, spec.worker_timeout, tell)
            _refuse_threaded(client)
            yield client


def _local(spec: LocalSpec) -> AbstractContextManager[Any]:
    from distributed import LocalCluster

    start = partial(LocalCluster, n_workers=spec.workers, threads_per_worker=1, dashboard_address=ANY_PORT)
    return _here(start, spec.workers)


def _gpus(spec: GpuSpec) -> AbstractContextManager[Any]:
    """This process leaves CUDA alone: what it touched, all that it starts would share."""
    from distributed import Nanny, Scheduler, SpecCluster

    scheduler = {"cls": Scheduler, "options": {"dashboard_address": ANY_PORT, "host": "127.0.0.1"}}
    workers = {
        f"gpu{gpu}": {"cls": Nanny, "options": {"nthreads": 1, "env": {"CUDA_VISIBLE_DEVICES": gpu}}}
        for gpu in gpus(spec.gpus)
    }
    return _here(partial(SpecCluster, scheduler=scheduler, workers=workers), len(workers))


@contextmanager
def _slurm(spec: SlurmSpec) -> Iterator[Any]:
    with slurm_cluster(spec) as cluster:
        refuse_without_slurm(cluster)
        _kept(cluster, spec.workers)
        yield cluster


def _kept(cluster: Any, workers: int) -> None:
    from pipeline.on_dask.keeping import Keeping

    cluster.adapt(Adaptive=Keeping, minimum=workers, maximum=workers)


KINDS: Mapping[type[ClusterSpec], Callable[[Any], AbstractContextManager[Any]]] = MappingProxyType(
    {
        LocalSpec: _local,
        GpuSpec: _gpus,
        SchedulerSpec: lambda spec: nullcontext(spec.address),
        SlurmSpec: _slurm,
        KubernetesSpec: kubernetes_cluster,
    }
)


def gpus(count: int | None) -> tuple[str, ...]:
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


def _wait_for_workers(client: Any, timeout: float, tell: Tell) -> None:
    """Sleeps and asks: Dask's own wait answers an interrupt with a traceback."""
    if not client.nthreads():
        tell(f"waiting for workers, at most {timeout:g} seconds")
    end = monotonic() + timeout
    while not client.nthreads():
        if monotonic() > end:
            way_out = "start some with `dask worker ADDRESS --nthreads 1`, or set worker_timeout in [cluster]"
            raise ClusterError(f"no worker came within {timeout:g} seconds; {way_out}")
        sleep(ASKED_AGAIN)


def _refuse_threaded(client: Any) -> None:
    for address, threads in client.nthreads().items():
        if threads != 1:
            way_out = "tasks in one process would wait for each other; start it with `dask worker --nthreads 1`"
            raise ClusterError(f"worker {address} has {threads} threads: {way_out}")


@contextmanager
def _here(start: Callable[[], Any], workers: int) -> Iterator[Any]:
    """A cluster of so many processes of this machine."""
    with ExitStack() as stack:
        with _interrupts_delayed():
            cluster = start()
            stack.callback(_close_quietly, cluster)
        _kept(cluster, workers)
        yield cluster


def _close_quietly(cluster: Any) -> None:
    """That a worker was killed in the middle of an interrupted task is no news."""
    with _quiet("distributed.nanny"):
        cluster.close()


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Of a logger only errors are shown within."""
    log = logging.getLogger(name)
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


@contextmanager
def _interrupts_delayed() -> Iterator[None]:
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
