"""A sign of life: whatever takes long is named when it begins, and again every half minute."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread
from time import monotonic

from rich.console import Console
from rich.text import Text

from pipeline.machine.phases import Notice, Phase, Tell

PERIOD = 30.0
"""Seconds after which a line is due."""
REFRESHES = 4
"""The times a second at which a terminal is drawn again."""


class Heartbeat:
    """A thread that calls `tell` whenever nothing was told for a period, until it is stopped."""

    def __init__(self, tell: Callable[[], object], period: float = PERIOD) -> None:
        self._tell, self._period = tell, period
        self._told, self._ended = monotonic(), Event()
        self._thread = Thread(target=self._watch, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Start to watch."""
        self.restart()
        self._thread.start()

    def stop(self) -> None:
        """Tell no more."""
        self._ended.set()
        self._thread.join()

    def restart(self) -> None:
        """Begin the period again, as something was told."""
        self._told = monotonic()

    def _watch(self) -> None:
        while not self._ended.wait(max(self._told + self._period - monotonic(), 0.01)):
            if monotonic() >= self._told + self._period:
                self.restart()
                self._tell()


@contextmanager
def tell_phases(console: Console, subject: str = "", period: float = PERIOD) -> Iterator[Tell]:
    """Yield a function that shows phases, those of `subject`: on a terminal a line that changes, else lines.

    There is a line for each phase when it begins, and after each period in which there was no other. A notice is a line
    that stays.
    """
    shown = _ChangingLine(console, subject) if console.is_terminal else _Lines(console, subject, period)

    def tell(phase: Phase) -> None:
        if isinstance(phase, Notice):
            console.print(Text(_in_words(subject, phase)))
        else:
            shown.tell(phase)

    shown.start()
    try:
        yield tell
    finally:
        shown.stop()


class _ChangingLine:
    """The phase on the last line of a terminal, beside what turns as a sign of life."""

    def __init__(self, console: Console, subject: str) -> None:
        self._subject = subject
        spinner = "line" if console.options.ascii_only else "dots"
        self._status = console.status("", spinner=spinner, refresh_per_second=REFRESHES)
        self.start, self.stop = self._status.start, self._status.stop

    def tell(self, phase: Phase) -> None:
        self._status.update(Text(_in_words(self._subject, phase)))


class _Lines:
    """A line for each phase, and after each period."""

    def __init__(self, console: Console, subject: str, period: float) -> None:
        self._console, self._subject = console, subject
        self._phase, self._began = Phase(""), monotonic()
        self._heartbeat = Heartbeat(self._tell_again, period)
        self.start, self.stop = self._heartbeat.start, self._heartbeat.stop

    def tell(self, phase: Phase) -> None:
        is_new, self._phase = phase.words != self._phase.words, phase
        if is_new:
            self._began = monotonic()
            self._heartbeat.restart()
            self._print("")

    def _tell_again(self) -> None:
        self._print(f" {timedelta(seconds=round(monotonic() - self._began))}")

    def _print(self, elapsed: str) -> None:
        self._console.print(Text(f"{_in_words(self._subject, self._phase)} ...{elapsed}"))


def _in_words(subject: str, phase: Phase) -> str:
    return f"{subject}: {phase}" if subject else str(phase)
