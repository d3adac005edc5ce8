"""Which tasks must have ended before another can run: what it reads is what they wrote."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from pipeline.plan import Plan, Task


@dataclass(frozen=True)
class Dependencies:
    """Of the tasks of one plan."""

    plan: Plan
    target_image: Sequence[int]
    """Position, for every image, of the image whose clean map its own is compared with."""

    def of(self, task: Task) -> Iterator[Task]:
        """The tasks that this one reads from directly; some may be named twice."""
        return _READS[task.stage](self, task)

    def _perturbations(self, task: Task) -> Iterator[Task]:
        return self.plan.of_tile("perturb", task.tile)

    def _displacement(self, task: Task) -> Iterator[Task]:
        return (Task("fit", 0, task.column) for column in self.plan.universal if column == task.column)

    def _maps(self, task: Task) -> Iterator[Task]:
        """Its own maps, those of the target images, and the clean images for their edges and masks."""
        targets = {int(self.target_image[row]) // self.plan.tile for row in self.plan.rows(task)}
        yield Task("perturb", task.tile, 0)
        yield from (Task("attribute", tile, task.column) for tile in sorted({task.tile, *targets}))


_READS: Mapping[str, Callable[[Dependencies, Task], Iterator[Task]]] = MappingProxyType(
    {
        "fit": lambda _, __: iter(()),
        "perturb": Dependencies._displacement,
        "attribute": Dependencies._perturbations,
        "score": Dependencies._maps,
    }
)
