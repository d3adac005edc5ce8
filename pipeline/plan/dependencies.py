"""The tasks that must have ended before another task can run, because it reads what they wrote."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pipeline.plan.stage import ReadRule
from pipeline.plan.stages import STAGES
from pipeline.plan.tasks import Plan, Task


@dataclass(frozen=True)
class Dependencies:
    """The dependencies between the tasks of one plan."""

    plan: Plan
    target_image: Sequence[int]
    """For every image, the position of the image whose clean map its own map is compared with."""

    def of(self, task: Task) -> Iterator[Task]:
        """Yield the tasks whose output this task reads directly; a task may come twice."""
        return (other for read in STAGES[task.stage].reads for other in self._writers(task, read))

    def _writers(self, task: Task, read: ReadRule) -> Iterator[Task]:
        planned = self.plan.columns(read.stage)
        columns = {"same": [task.column], "all": planned, "clean": [0]}[read.columns]
        existing = [column for column in columns if column in planned]
        return (Task(read.stage, tile, column) for tile in self._tiles(task, read) for column in existing)

    def _tiles(self, task: Task, read: ReadRule) -> Iterable[int]:
        if not STAGES[read.stage].per_tile:
            return [0]
        tiles = {task.tile}
        if read.tiles == "target images":
            tiles |= {int(self.target_image[row]) // self.plan.tile for row in self.plan.rows(task)}
        return sorted(tile for tile in tiles if self.plan.has_tasks(read.stage, tile))
