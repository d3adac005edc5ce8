"""Code of the user, run as a script is run; whatever it raises or leaves running is one refusal that names its line."""

import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from time import monotonic
from traceback import StackSummary, walk_stack

from pipeline.inputs.siblings import Siblings
from pipeline.machine.files import LONG
from pipeline.machine.outputs import divert_stdout
from pipeline.machine.tracebacks import locate, locate_frame
from srd.errors import EndlessThread, ModelError

GRACE = 1.0
"""Seconds in which threads that the code has started may end."""
POOL = str(Path("concurrent", "futures", "thread.py"))
"""The end of the path of the pool of threads, which ends by itself."""


@dataclass(frozen=True)
class Script:
    """A file or module that a spec names."""

    name: str
    """What `sys.argv` holds while it runs, alone."""
    folder: Path
    """The folder that is not named in messages."""
    is_file: bool
    """Whether it runs in its folder, as `cd FOLDER && python FILE` does."""
    siblings: Siblings | None = None
    """The modules beside a file that have names of ours."""

    @contextmanager
    def run(self, place: str, way_out: str) -> Iterator[None]:
        """Run its code within the context; `place` and `way_out` begin and end the message of a refusal.

        What it prints goes to standard error.

        Raises
        ------
        ModelError
            For whatever it raises, also to end the program.
        EndlessThread
            If it leaves a thread running that is its own, or for which Python would wait at the end.
        """
        before = set(threading.enumerate())
        try:
            with self._surroundings():
                yield
        except (Exception, SystemExit) as error:  # the user's code may raise anything
            self._refuse_threads(before, place)
            raise refusal(place, error, self.folder, way_out) from error
        self._refuse_threads(before, place)

    @contextmanager
    def _surroundings(self) -> Iterator[None]:
        arguments = sys.argv
        with ExitStack() as stack:
            stack.enter_context(divert_stdout())
            if self.is_file:
                stack.enter_context(chdir(self.folder))
            if self.siblings:
                stack.enter_context(self.siblings.take_place())
            sys.argv = [self.name]
            try:
                yield
            finally:
                sys.argv = arguments

    def _refuse_threads(self, before: set[threading.Thread], place: str) -> None:
        deadline = monotonic() + GRACE
        for thread in set(threading.enumerate()) - before:
            thread.join(max(0.0, deadline - monotonic()))
            stack = _stack(thread)
            where = locate_frame(stack, self.folder)
            is_pool = any(frame.filename.endswith(POOL) for frame in stack)
            if thread.is_alive() and (where or not (thread.daemon or is_pool)):
                raise EndlessThread(
                    f"{place}: starts the thread {thread.name!r}, which still runs{f' ({where})' * bool(where)}; "
                    "end it before the network is returned, or start none"
                )


def refusal(place: str, error: BaseException, folder: Path, way_out: str) -> ModelError:
    """Return the refusal of what code of the user has raised, with file and line."""
    where = locate(error, folder).place
    if isinstance(error, SystemExit):
        text, way_out = f"SystemExit: {error.code}, which would end the program", "remove what ends it"
    else:
        text = f"{type(error).__name__}: {error}"
    return ModelError(f"{place}: {shorten(text, LONG)}{f' ({where})' * bool(where)}; {way_out}")


def _stack(thread: threading.Thread) -> StackSummary:
    """Return the stack of a thread, the innermost frame last."""
    frame = sys._current_frames().get(thread.ident or 0)
    return StackSummary.from_list(reversed(StackSummary.extract(walk_stack(frame)))) if frame else StackSummary()
