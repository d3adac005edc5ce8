"""A process that has imported what tasks need, of which workers of this machine are forked: torch is imported once.

It runs one thread, touches no device and opens no file: what it shares with the processes that are forked of it is
memory that none of them has written. It ends with the last of them.
"""

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import forkserver, get_context, resource_tracker
from multiprocessing.context import ForkServerContext

from pipeline.execution.new_process import environment

PRELOADED = ("distributed", "pipeline.execution.worker", "pipeline.execution.preparation")
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""As Dask sets it for workers: a library that has started threads cannot be forked."""


def start_fork_server(variables: Mapping[str, str]) -> ForkServerContext:
    """Start the process with these environment variables, if there is none yet, and return the way to fork it.

    It begins with the import path of this process, which Python 3.11 does not hand on, and without the working folder.
    Ctrl-C reaches all processes of a terminal; it and those forked of it leave the answer to this one.
    """
    context = get_context("forkserver")
    with environment(forked_environment(variables)), block_interrupts():
        context.set_forkserver_preload(list(PRELOADED))
        forkserver.ensure_running()
    return context


def forked_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process that is forked now: the server's may be older than some credentials."""
    path = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONSAFEPATH": "1"}
    return {**ONE_THREAD, **os.environ, **variables, **path}


@contextmanager
def block_interrupts() -> Iterator[None]:
    """Block Ctrl-C for this thread; threads and processes that start within inherit that."""
    resource_tracker.ensure_running()  # which unblocks the signal in the thread that starts it
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
