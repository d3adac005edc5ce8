"""Clusters with one process of one thread for each worker. A cluster's spec starts it; it is closed in the end."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from time import sleep
from typing import Any

from pipeline.execution.on_dask.loggers import silence_logger
from pipeline.execution.on_dask.patience import Patience, idle_in_words
from pipeline.execution.on_dask.security import security_of
from pipeline.execution.on_dask.settings import configuration
from pipeline.machine.limits import usable_cores
from pipeline.spec.deployment import ClusterSpec
from srd.errors import AuditError, ClusterError

Tell = Callable[[str], object]
"""A function that receives messages: what the cluster waits for, and where its dashboard is."""

DASK = "distributed"
ADAPTIVE = "distributed.deploy.adaptive"  # warns of each worker that dies before it is known, and starts another
ANSWERS = 10  # seconds in which a scheduler must
ASKED_AGAIN = 0.5  # seconds after which a cluster without workers is asked again


def import_dask() -> None:
    """Import what starting a cluster on this machine needs, which takes a second."""
    import_module("pipeline.execution.on_dask.local")


@contextmanager
def start_cluster(spec: ClusterSpec, tell: Tell) -> Iterator[Any]:
    """Start the spec's cluster, wait for a worker, and yield a client.

    Raises
    ------
    ClusterError
        If no scheduler answers, if no worker works within `worker_timeout` seconds, if scheduler or a worker cannot run
        this project, or if a worker has more than one thread.
    SpecError
        If the files of TLS cannot be used.
    """
    tell(_opening_in_words(spec))
    import dask  # its import costs a second that other commands need not pay
    from distributed import Client  # before the configuration: that of its import is to stay

    from pipeline.execution.on_dask.fitness import examine_all

    with dask.config.set(configuration()), silence_logger(ADAPTIVE), _open_cluster(spec) as cluster:
        try:
            client = Client(cluster, timeout=ANSWERS, security=security_of(spec))
        except (OSError, ValueError) as error:
            way_out = "start `dask scheduler` there, or name another address"
            raise ClusterError(f"{cluster}: no scheduler answers ({error}); {way_out}") from error
        except RuntimeError as error:  # no thread can be started
            raise _no_start(spec, error) from error
        with client, examine_all(client):
            tell(f"dashboard: {client.dashboard_link}")
            _wait_for_workers(client, spec, tell)
            _refuse_threads(client)
            yield client


def _opening_in_words(spec: ClusterSpec) -> str:
    """Return what is done now, which may take a minute: `starting 2 workers`."""
    count: int = getattr(spec, "workers", None) or getattr(spec, "gpus", None) or 0
    if not count:
        return "connecting to the cluster"
    cores = usable_cores() if spec.is_on_this_machine else count
    return f"starting {count} workers" + f", which share {cores} cores" * (count > cores)


@contextmanager
def _open_cluster(spec: ClusterSpec) -> Iterator[Any]:
    """Open the cluster of a spec.

    Raises
    ------
    ClusterError
        In one line, if it does not start.
    """
    module, function = spec.start.split(":")
    with ExitStack() as stack:
        try:
            with silence_logger(DASK, logging.CRITICAL):  # which would tell the same as a traceback
                cluster = stack.enter_context(getattr(import_module(module), function)(spec))
        except AuditError:
            raise
        except Exception as error:  # Dask, what it imports and what it asks raise anything
            raise _no_start(spec, error) from error
        yield cluster


def _no_start(spec: ClusterSpec, error: Exception) -> ClusterError:
    return ClusterError(f"the cluster does not start ({cause_of(error)}); correct [cluster], or else: {spec.advice}")


def cause_of(error: BaseException) -> str:
    """Return the first cause of an error in one line: Dask's own say that something failed."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return " ".join(f"{type(error).__name__}: {error}".split())


def _wait_for_workers(client: Any, spec: ClusterSpec, tell: Tell) -> None:
    """Wait until a worker works that is known to be fit.

    It sleeps and asks: Dask's own wait answers an interrupt with a traceback.
    """
    patience = Patience(spec, tell)
    if not client.nthreads():
        tell(f"waiting for workers, at most {spec.worker_timeout:g} seconds")
    while not _find_workers(client):
        idle = len(client.nthreads())
        if patience.is_over():
            what = idle_in_words(idle) if idle else "no worker came"
            way_out = f"{spec.advice}, or set worker_timeout in [cluster]"
            raise ClusterError(f"{what} within {spec.worker_timeout:g} seconds; {way_out}")
        patience.wait(idle)
        sleep(ASKED_AGAIN)


def _find_workers(client: Any) -> set[str]:
    """Return the addresses of the workers that work, and were examined.

    Raises
    ------
    ClusterError
        If any worker cannot run this project.
    """
    from pipeline.execution.on_dask.fitness import findings, refuse_unfit

    found = findings(client)
    refuse_unfit(found)
    examined = {str(each["worker"]) for each in found}
    return examined.intersection(client.sync(client.scheduler.ncores_running))


def _refuse_threads(client: Any) -> None:
    for address, threads in client.nthreads().items():
        if threads != 1:
            way_out = "tasks in one process would wait for each other; start it with `dask worker --nthreads 1`"
            raise ClusterError(f"worker {address} has {threads} threads: {way_out}")
