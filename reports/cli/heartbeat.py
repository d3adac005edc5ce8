"""A sign of life: whatever takes long is named when it begins, and again every half minute."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread
from time import monotonic

from rich.console import Console
from rich.text import Text

PERIOD = 30.0
"""Seconds after which a line is due."""


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
def tell_phase(console: Console, words: str, period: float = PERIOD) -> Iterator[None]:
    """Print what is done within the context, when it begins and after each period."""
    began = monotonic()
    console.print(Text(f"{words} ..."))

    def tell() -> None:
        console.print(Text(f"{words} ... {timedelta(seconds=round(monotonic() - began))}"))

    heartbeat = Heartbeat(tell, period)
    heartbeat.start()
    try:
        yield
    finally:
        heartbeat.stop()
