"""A call in a new process of this machine, which keeps this process free of what the call imports."""

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process
from threading import Thread
from typing import Any, TypeVar

from srd.errors import WorkerLost

T = TypeVar("T")


def call_in_new_process(variables: Mapping[str, str], function: Callable[..., T], *arguments: Any) -> T:
    """Call a function in a new process with these environment variables; return its result, or raise its error.

    Raises
    ------
    WorkerLost
        If the process ends before it has returned.
    """
    others = active_children()
    with ProcessPoolExecutor(1, get_context("spawn"), initializer=_follow_parent) as process:
        with _environment(variables):
            future = process.submit(function, *arguments)
        try:
            return future.result()
        except BrokenProcessPool:
            raise WorkerLost("the process that prepares ended: it took too much memory, or crashed") from None
        except KeyboardInterrupt:
            for child in active_children():
                if child not in others:
                    child.kill()
            raise


def _follow_parent() -> None:
    """Make this process end with its parent, so that a killed command leaves nothing running.

    Ctrl-C reaches all processes of a terminal, but only the parent must answer.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        parent = parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    Thread(target=watch, daemon=True).start()


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables for processes that start within the context; this process's libraries have read theirs."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
