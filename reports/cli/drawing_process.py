"""A process that draws the figures of a report while this one reads maps and writes the rest."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection

from pipeline.execution.fork_server import block_interrupts
from pipeline.execution.new_process import follow_parent
from pipeline.machine.limits import usable_cores
from reports.audit.page import pictures
from reports.audit.report import Draw, draw_here
from reports.audit.sections import AuditResult
from reports.plot_primitives import Picture


@contextmanager
def drawing_process() -> Iterator[Draw]:
    """Make a context in which another process draws, if there is a core for it; it imports what it needs meanwhile.

    What it cannot draw, because it was ended or raises, is drawn in this process.
    """
    if usable_cores() < 2:
        yield draw_here
        return
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_draw_what_comes, args=(theirs,), daemon=True)
    with ours:
        with theirs, block_interrupts():
            process.start()
        try:
            yield lambda result, advance: _draw_there(ours, result, advance)
        finally:
            process.kill()
            process.join()


def _draw_there(
    process: Connection, result: AuditResult, advance: Callable[[], object]
) -> Callable[[], tuple[Picture, ...]]:
    """Send a result to be drawn, and return the call that awaits its figures."""

    def await_figures() -> tuple[Picture, ...]:
        try:
            figures: tuple[Picture, ...] | None = process.recv()
        except (EOFError, OSError):
            figures = None
        return draw_here(result, advance)() if figures is None else figures

    try:
        process.send(result)
    except OSError:
        return draw_here(result, advance)
    return await_figures


def _draw_what_comes(results: Connection) -> None:
    """Draw the figures of each result that comes, as long as the command runs."""
    follow_parent()
    gc.freeze()  # what was imported stays
    while True:
        results.send(_figures_of(results.recv()))


def _figures_of(result: AuditResult) -> tuple[Picture, ...] | None:
    """Return the figures, or None where drawing raises: the command draws again, and raises it."""
    try:
        return tuple(pictures(result))
    except Exception:  # noqa: BLE001  whatever it is
        return None
