"""Which tasks must have ended before another can run: what it reads is what they wrote."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pipeline.plan.stages import STAGES, Read
from pipeline.plan.tasks import Plan, Task


@dataclass(frozen=True)
class Dependencies:
    """Hold between the tasks of one plan."""

    plan: Plan
    target_image: Sequence[int]
    """Position, for every image, of the image whose clean map its own is compared with."""

    def of(self, task: Task) -> Iterator[Task]:
        """Yield the tasks that this one reads from directly; some may be named twice."""
        return (other for read in STAGES[task.stage].reads for other in self._writers(task, read))

    def _writers(self, task: Task, read: Read) -> Iterator[Task]:
        columns = {"same": [task.column], "all": self.plan.columns(read.stage), "clean": [0]}[read.columns]
        existing = [column for column in columns if column in self.plan.columns(read.stage)]
        return (Task(read.stage, tile, column) for tile in self._tiles(task, read) for column in existing)

    def _tiles(self, task: Task, read: Read) -> Iterable[int]:
        if not STAGES[read.stage].per_tile:
            return [0]
        if read.tiles == "own":
            return [task.tile]
        targets = {int(self.target_image[row]) // self.plan.tile for row in self.plan.rows(task)}
        return sorted({task.tile, *targets})
