"""The tasks of an audit, as plain data: who writes which region of the store."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.schema import STAGES, VARIABLES, WRITES, Variable


@dataclass(frozen=True)
class Task:
    """One stage on one tile of images, for one perturbation entry or one method."""

    stage: str
    tile: int
    column: int
    """Index on the perturbation axis (perturb) or on the method axis (attribute, score)."""

    @property
    def key(self) -> str:
        """Name of the receipt and, on a cluster, of the task: `attribute-00012-03`."""
        return f"{self.stage}-{self.tile:05d}-{self.column:02d}"


@dataclass(frozen=True)
class Plan:
    """Sizes of the store's dimensions, and the tile."""

    sizes: Mapping[str, int]
    tile: int
    has_masks: bool
    attacks: Sequence[int] = ()
    """Columns of the perturbation axis that hold attacks on explanations."""
    universal: Sequence[int] = ()
    """Those among them whose displacement a stage of its own finds."""

    def tasks(self, stage: str) -> Iterator[Task]:
        """All tasks of a stage; they may run in any order."""
        if stage == "fit":
            return (Task(stage, 0, column) for column in self.universal)
        return (task for tile in range(self.n_tiles) for task in self.of_tile(stage, tile))

    def of_tile(self, stage: str, tile: int) -> Iterator[Task]:
        """The tasks of a stage on one tile of images."""
        columns = self.sizes["perturbation" if stage == "perturb" else "method"]
        return (Task(stage, tile, column) for column in range(columns))

    def all_tasks(self) -> Iterator[Task]:
        """All tasks of all stages, in an order that can be run."""
        return (task for stage in STAGES for task in self.tasks(stage))

    @property
    def n_tiles(self) -> int:
        return -(-self.sizes["image"] // self.tile)

    def rows(self, task: Task) -> range:
        """Positions of the task's images."""
        start = task.tile * self.tile
        return range(start, min(start + self.tile, self.sizes["image"]))

    def variables(self, task: Task) -> tuple[Variable, ...]:
        """What the task writes."""
        mask = ("mask",) if self.writes_mask(task) else ()
        evidence = ("attack_evidence",) if task.stage == "perturb" and task.column in self.attacks else ()
        return tuple(VARIABLES[name] for name in (*WRITES[task.stage], *evidence, *mask))

    def writes_mask(self, task: Task) -> bool:
        return self.has_masks and task.stage == "perturb" and task.column == 0

    def holds(self, variable: Variable) -> bool:
        """Whether any task writes the variable."""
        needed = {"mask": self.has_masks, "attack_evidence": bool(self.attacks), "displacement": bool(self.universal)}
        return needed.get(variable.name, True)

    def region(self, task: Task, variable: Variable) -> tuple[slice, ...]:
        """Where the task writes the variable: whole shards, and no other task's."""
        rows = self.rows(task)
        column = slice(task.column, task.column + 1)
        return tuple(
            slice(rows.start, rows.stop) if dim == "image" else slice(None) if dim in variable.whole else column
            for dim in variable.dims
        )
