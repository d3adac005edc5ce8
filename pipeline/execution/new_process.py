"""A call in a new process of this machine, which keeps this process free of what the call imports."""

import gc
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, SpawnContext
from pickle import dumps, loads
from threading import Thread
from traceback import format_exception
from typing import Any, TypeVar

from pipeline.machine.phases import Tell
from srd.errors import WorkerLost

T = TypeVar("T")

PATIENCE = 10.0
"""Seconds in which a process ends by itself, once it has answered."""


@dataclass(frozen=True)
class _Answer:
    """The end of a call: its result, or its error with the traceback as text."""

    result: Any = None
    error: BaseException | None = None
    traceback: str = ""


class _ThereRaised(Exception):
    """The traceback of another process, as the cause of the error that is raised here."""


def call_in_new_process(
    variables: Mapping[str, str],
    function: Callable[..., T],
    *arguments: Any,
    tell: Tell | None = None,
    server: ForkServerContext | None = None,
    meanwhile: Callable[[], object] = int,
) -> T:
    """Call a function in a new process with these environment variables; return its result, or raise its error.

    If there is `tell`, the function gets one as its last argument; what is told there is told here.

    Parameters
    ----------
    server
        The fork server of which the process is forked; without one it starts anew.
    meanwhile
        Called once the process works, before what it tells is awaited.

    Raises
    ------
    WorkerLost
        If the process ends before it has returned.
    """
    context: SpawnContext | ForkServerContext = server or get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    surroundings = {**os.environ, **variables}
    call = dumps((function, arguments))
    process = context.Process(target=_answer, args=(sender, tell is not None, surroundings, call))
    with receiver:
        with sender, environment(variables):
            process.start()
        try:
            meanwhile()
            answer = _await_answer(receiver, tell)
            process.join(PATIENCE)
        finally:
            process.kill()
            process.join()
    if answer.error is not None:
        raise answer.error from _ThereRaised(f"\n{answer.traceback}")
    result: T = answer.result
    return result


def _await_answer(receiver: Connection, tell: Tell | None) -> _Answer:
    """Return the answer, and pass on what is told before it."""
    while True:
        try:
            message = receiver.recv()
        except EOFError:
            raise WorkerLost("the process that prepares ended: it took too much memory, or crashed") from None
        if isinstance(message, _Answer):
            return message
        if tell is not None:
            tell(message)


def _answer(sender: Connection, tells: bool, surroundings: Mapping[str, str], call: bytes) -> None:
    """Call a pickled function in this process, and send its end, or why that cannot be sent.

    A process that was forked has the environment of its server, which may have begun before it changed here.
    """
    follow_parent()
    os.environ.clear()
    os.environ.update(surroundings)
    gc.disable()  # imports make very many objects and no garbage
    try:
        function, arguments = loads(call)  # which may import for seconds
        gc.enable()
        answer = _Answer(function(*arguments, *([sender.send] if tells else [])))
    except BaseException as error:  # noqa: BLE001  whatever it raises is raised where it was called
        answer = _Answer(error=error, traceback="".join(format_exception(error)))
    try:
        sender.send(answer)
    except Exception as error:  # noqa: BLE001  what cannot be pickled raises anything
        sender.send(_Answer(error=WorkerLost(f"the answer of a process cannot be sent: {error}")))


def follow_parent() -> None:
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
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables for processes that start within the context; this process's libraries have read theirs."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
