"""How much of a run a command does: up to which stage, and, as one job of an array, which tiles."""

import re
from dataclasses import dataclass

from pipeline.plan.stages import STAGES
from pipeline.plan.tasks import Task
from srd.errors import InputError


@dataclass(frozen=True)
class TileShare:
    """Hold every `of`-th tile, from the `number`-th on; what is done once for all tiles belongs to each part."""

    number: int
    of: int

    def holds(self, task: Task) -> bool:
        return not STAGES[task.stage].per_tile or task.tile % self.of == self.number - 1


WHOLE = TileShare(1, 1)


@dataclass(frozen=True)
class Selection:
    """Tasks of some stages and some tiles."""

    until: str | None = None
    """The last stage; None: the last there is."""
    share: TileShare = WHOLE

    @property
    def stages(self) -> tuple[str, ...]:
        stages = tuple(STAGES)
        return stages if self.until is None else stages[: stages.index(self.until) + 1]


ALL = Selection()


def parse_share(text: str) -> TileShare:
    """Of `3/20`. Raises InputError."""
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise InputError(f"--part {text!r}: is no part; write 1/20 to 20/20 for the jobs of an array of 20")
    return TileShare(int(match[1]), int(match[2]))
