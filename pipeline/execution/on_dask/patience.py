"""The wait for workers that work: what is waited for is told, again and again, and the wait ends."""

from collections.abc import Callable
from time import monotonic

from pipeline.spec.deployment import ClusterSpec

TOLD_AFTER = 10.0
"""Seconds without a worker after which this is told: one that died is back within a few."""
PERIOD = 30.0
"""Seconds after which it is told again."""


class Patience:
    """The time for which a run does without workers, and what its operator is told meanwhile.

    `tell` receives messages, `clock` returns seconds.
    """

    def __init__(
        self, spec: ClusterSpec, tell: Callable[[str], object], clock: Callable[[], float] = monotonic
    ) -> None:
        self._spec, self._tell, self._clock = spec, tell, clock
        self.restart()

    def restart(self) -> None:
        """Begin anew, since a worker works."""
        self._began = self._clock()
        self._due = self._began + TOLD_AFTER

    def is_over(self) -> bool:
        """Return whether the wait has lasted as long as the spec allows."""
        return self._clock() - self._began > self._spec.worker_timeout

    def wait(self, idle: int) -> None:
        """Tell what is waited for, if that is due. `idle` workers are there, and none works."""
        now = self._clock()
        if now >= self._due:
            self._due = now + PERIOD
            left = max(self._began + self._spec.worker_timeout - now, 0.0)
            self._tell(f"{idle_in_words(idle)} waiting at most {left:.0f} seconds more; {self._spec.advice}")


def idle_in_words(idle: int) -> str:
    """Return what is there instead of a worker that works."""
    return f"none of {idle} workers works, as they are paused or closing," if idle else "no worker is there,"
