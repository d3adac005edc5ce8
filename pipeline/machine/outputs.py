"""Standard output belongs to the command: what code of others prints goes to standard error meanwhile."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from threading import Lock
from typing import Any

STDOUT, STDERR = 1, 2
AS_TEXT: Any = {"encoding": "utf-8", "errors": "backslashreplace"}
"""The arguments by which another program's output is read as text, whatever it holds and the locale says."""


class _Diversion:
    """The state of this process: how many contexts are open, of any thread, and what closes the diversion."""

    def __init__(self) -> None:
        self._lock, self._open, self._undo = Lock(), 0, ExitStack()

    def enter(self) -> None:
        with self._lock:
            if not self._open:
                self._divert()
            self._open += 1

    def leave(self) -> None:
        with self._lock:
            self._open -= 1
            if not self._open:
                self._undo.close()

    def _divert(self) -> None:
        self._undo.enter_context(redirect_stdout(sys.stderr))
        with suppress(OSError):  # a process without these descriptors has nothing to divert
            own = os.dup(STDOUT)
            self._undo.callback(os.close, own)
            os.dup2(STDERR, STDOUT)
            self._undo.callback(os.dup2, own, STDOUT)


_diversion = _Diversion()


@contextmanager
def divert_stdout() -> Iterator[None]:
    """Send to standard error what this process and its children print, until the last open context ends."""
    if sys.stdout is not None:
        sys.stdout.flush()
    _diversion.enter()
    try:
        yield
    finally:
        _diversion.leave()
