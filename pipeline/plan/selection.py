"""The tasks that one command runs: up to which stage, and, for one job of an array, on which tiles."""

import re
from dataclasses import dataclass

from pipeline.plan.stages import STAGES
from pipeline.plan.tasks import Task
from srd.errors import InputError


@dataclass(frozen=True)
class TileShare:
    """Every `of`-th tile, from tile `number` on, and in each share the tasks that are done once for all tiles."""

    number: int
    of: int

    def holds(self, task: Task) -> bool:
        return not STAGES[task.stage].per_tile or task.tile % self.of == self.number - 1


WHOLE = TileShare(1, 1)
"""The share that holds all tiles."""


@dataclass(frozen=True)
class Selection:
    """The tasks of some stages on some tiles."""

    until: str | None = None
    """The last stage; None stands for the last stage that there is."""
    share: TileShare = WHOLE

    @property
    def stages(self) -> tuple[str, ...]:
        stages = tuple(STAGES)
        return stages if self.until is None else stages[: stages.index(self.until) + 1]


ALL = Selection()


def parse_share(text: str) -> TileShare:
    """Return the share of tiles that a text such as `3/20` names.

    Raises
    ------
    InputError
        If the text names no share.
    """
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise InputError(f"--part {text!r}: is no part; write 1/20 to 20/20 for the jobs of an array of 20")
    return TileShare(int(match[1]), int(match[2]))
