"""The tasks of an audit as plain data: which task writes which region of the store."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np
from numpy.typing import NDArray

from pipeline.plan.schema import TILE, Group, Question, Variable
from pipeline.plan.stage import Stage
from pipeline.plan.stages import STAGES


@dataclass(frozen=True)
class Task:
    """One stage on one tile of images, for one column of the stage's axis."""

    stage: str
    tile: int
    column: int
    """The index on the axis of the stage, such as of a perturbation or of a method; 0 for a stage without one."""

    @property
    def key(self) -> str:
        """Return the name of the task on a cluster and of its receipt, such as `attribute-00012-03`."""
        return f"{self.stage}-{self.tile:05d}-{self.column:02d}"

    @staticmethod
    def from_key(key: str) -> "Task":
        """Return the task with this key."""
        stage, tile, column = key.split("-")
        return Task(stage, int(tile), int(column))


TaskColumn = tuple[str, int]
"""A stage, and an index on its axis: what tasks on all tiles have in common."""


@dataclass(frozen=True)
class Plan:
    """The sizes of the store's dimensions, the size of a tile, and the groups of columns."""

    sizes: Mapping[str, int]
    tile: int
    has_masks: bool
    attacks: tuple[int, ...] = ()
    """The columns of the perturbation axis that hold attacks on explanations."""
    universal: tuple[int, ...] = ()
    """Those among the attacks whose displacement a stage of its own finds."""
    stochastic: tuple[int, ...] = ()
    """The columns of the method axis that hold methods that draw at random."""
    attacked: tuple[int, ...] = ()
    """Those that hold methods that an attack on explanations goes against."""
    asked: Mapping[Question, tuple[int, ...]] = field(default_factory=dict)
    """The positions of the images that the stages of a question ask about, in ascending order; none if it is not
    asked."""

    def tasks(self, stage: str) -> Iterator[Task]:
        """Yield all tasks of a stage; they may run in any order."""
        return (task for tile in self.tiles(stage) for task in self.of_tile(stage, tile))

    def of_tile(self, stage: str, tile: int) -> Iterator[Task]:
        """Yield the tasks of a stage on one tile of images."""
        columns = self.columns(stage) if self.has_tasks(stage, tile) else ()
        return (Task(stage, tile, column) for column in columns)

    def tiles(self, stage: str) -> Sequence[int]:
        """Return the tiles that have tasks: of a stage that asks about some images, those that hold any of them."""
        row = STAGES[stage]
        if row.asks:
            return sorted({image // self.tile for image in self._images_about(row)})
        return range(self.n_tiles if row.per_tile else 1)

    def has_tasks(self, stage: str, tile: int) -> bool:
        """Return whether a stage has tasks on a tile of images: whether it asks about any of them."""
        return not STAGES[stage].asks or bool(self._asked_of_tile(STAGES[stage], tile))

    def all_tasks(self) -> Iterator[Task]:
        """Yield all tasks of all stages, in an order in which they can run."""
        return (task for stage in STAGES for task in self.tasks(stage))

    def columns(self, stage: str) -> Sequence[int]:
        """Return the columns of a stage's axis that have tasks."""
        row = STAGES[stage]
        if row.asks and not self._images_about(row):
            return ()
        return self._group(row.group) if row.group else range(self.sizes[row.axis] if row.axis else 1)

    @property
    def n_tiles(self) -> int:
        return -(-self.sizes[TILE] // self.tile)

    def rows(self, task: Task) -> range:
        """Return the positions of the task's images."""
        return self._rows(task.tile)

    def asked_rows(self, task: Task) -> Sequence[int]:
        """Return the positions of the task's images that its stage asks about."""
        return self._asked_of_tile(STAGES[task.stage], task.tile)

    def n_images(self, task: Task) -> int:
        """Return the number of images that the task looks at."""
        stage = STAGES[task.stage]
        if not stage.per_tile:
            return min(stage.images or self.sizes[TILE], self.sizes[TILE])
        return len(self.asked_rows(task))

    def variables(self, task: Task) -> tuple[Variable, ...]:
        """Return the variables that the task writes."""
        return tuple(each for each in STAGES[task.stage].writes if self._is_written(each, task.column))

    def writes_mask(self, task: Task) -> bool:
        return any(variable.name == "mask" for variable in self.variables(task))

    def holds(self, variable: Variable) -> bool:
        """Return whether the preparation or any task writes the variable."""
        is_asked = all(self.columns(stage.name) for stage in STAGES.values() if variable in stage.writes)
        return is_asked and (not variable.group or bool(self._group(variable.group)))

    def n_values(self, variable: Variable) -> int:
        """Return how many values of the variable are written: of the columns and of the tiles that have tasks."""
        own: dict[str, int] = {}
        for stage in (stage for stage in STAGES.values() if variable in stage.writes):
            if stage.axis and variable.group:
                own[stage.axis] = len(self._group(variable.group))
            if stage.asks:
                own[TILE] = sum(len(self._rows(tile)) for tile in self.tiles(stage.name))
        return prod(own.get(dim, self.sizes[dim]) for dim in variable.dims)

    def region(self, task: Task, variable: Variable) -> tuple[slice, ...]:
        """Return the region of the variable that the task writes: whole shards, and no other task's."""
        rows = self.rows(task)
        column = slice(task.column, task.column + 1)
        return tuple(
            slice(rows.start, rows.stop) if dim == TILE else slice(None) if dim in variable.whole else column
            for dim in variable.dims
        )

    def writers(self, variable: Variable, selected: Mapping[str, NDArray[np.int64]]) -> Iterator[Task]:
        """Yield the tasks that write a variable at selected positions, which are given along each dimension."""
        stage = next(row for row in STAGES.values() if variable in row.writes)
        tiles = np.unique(selected[TILE] // self.tile).tolist() if stage.per_tile else [0]
        tiles = [tile for tile in tiles if self.has_tasks(stage.name, tile)]
        columns = [column for column in self.columns(stage.name) if self._is_written(variable, column)]
        if stage.axis in variable.dims and stage.axis not in variable.whole:
            columns = sorted(set(columns) & set(selected[stage.axis].tolist()))
        return (Task(stage.name, tile, column) for tile in tiles for column in columns)

    def _asked_of_tile(self, stage: Stage, tile: int) -> Sequence[int]:
        rows = self._rows(tile)
        if not stage.asks:
            return rows
        asked = self._images_about(stage)
        return asked[bisect_left(asked, rows.start) : bisect_left(asked, rows.stop)]

    def _rows(self, tile: int) -> range:
        start = tile * self.tile
        return range(start, min(start + self.tile, self.sizes[TILE]))

    def _images_about(self, stage: Stage) -> tuple[int, ...]:
        return self.asked.get(stage.asks, ()) if stage.asks else ()

    def _is_written(self, variable: Variable, column: int) -> bool:
        return not variable.group or column in self._group(variable.group)

    def _group(self, group: Group) -> Sequence[int]:
        groups: Mapping[Group, Sequence[int]] = {
            "masked": (0,) if self.has_masks else (),
            "attack": self.attacks,
            "universal": self.universal,
            "stochastic": self.stochastic,
            "attacked": self.attacked,
        }
        return groups[group]
