"""The cost of an audit, computed from the measurements of a pilot: tasks, seconds, bytes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import heapreplace
from math import ceil

from pipeline.execution.planning import asked_images
from pipeline.machine.memory import Memory
from pipeline.plan.schema import TILE
from pipeline.plan.stage import Axis
from pipeline.plan.stages import STAGES, VARIABLES
from pipeline.plan.tasks import Plan, Task, TaskColumn
from pipeline.spec.measure import MeasureSpec
from pipeline.store.receipts import receipt_size

Point = tuple[int, float]
"""A number of images, and what was measured there."""

BLOCK = 4096
"""Most file systems store a file in a whole number of blocks of this many bytes."""


@dataclass(frozen=True)
class CostLine:
    """A cost that grows with the number of images: a fixed part and a part for each, neither of them negative."""

    fixed: float
    each: float

    def at(self, n: float) -> float:
        return self.fixed + self.each * n


def fit_line(points: Sequence[Point]) -> CostLine:
    """Fit a line to the first and the last of the points.

    Noise is cut off. If there is only one point, the line goes through zero.
    """
    (few, less), (many, more) = points[0], points[-1]
    proportional = more / many
    each = proportional if few == many else min(max((more - less) / (many - few), 0), proportional)
    return CostLine(more - each * many, each)


@dataclass(frozen=True)
class StoredFiles:
    """The files of one array, or of one kind."""

    bytes: int
    files: int
    by_image: bool
    """Whether the files grow with the number of images."""


@dataclass(frozen=True)
class Pilot:
    """The measurements of a pilot, which audits a few images; plain data."""

    plan: Plan
    """The plan of the images that the pilot stored; it asks the network about all of them."""
    measure: MeasureSpec
    """What the audit measures, and of how many images."""
    seed: int
    """The seed of the audit, by which it draws the images that it asks about."""
    methods: tuple[str, ...]
    condition_groups: tuple[str, ...]
    """The group of each condition, which all draws of one perturbation share."""
    tasks: Mapping[TaskColumn, Sequence[Point]]
    """The seconds of a task, by the number of images that it worked on."""
    loading: CostLine
    """The seconds in which a process loads the model and reads all images."""
    preparing: CostLine
    """The seconds in which one process predicts the clean images and tries every method."""
    arrays: Mapping[str, StoredFiles]
    metadata: StoredFiles
    memory: Sequence[Point]
    """The most bytes that a process used for itself, by the images of its tile; of 0 images before any task."""
    shared: int
    """The bytes of libraries that processes of one machine share."""
    seconds: float
    """The seconds that the measurement took."""
    machine: str


@dataclass(frozen=True)
class StageCost:
    tasks: int
    seconds: float
    """The seconds of all tasks, one after the other."""
    elapsed: float
    """The seconds on all workers, if each takes the next task as soon as it is free, and none slows another."""


@dataclass(frozen=True)
class CostEstimate:
    """The cost of an audit."""

    machine: str
    images: int
    tile: int
    workers: int
    loading: float
    """The seconds of each process, before its first task."""
    preparing: float
    """The seconds of one process, before the first task."""
    stages: Mapping[str, StageCost]
    methods: Mapping[str, float]
    """The seconds of each method's tasks, one after the other."""
    entries: Mapping[str, float]
    """The seconds of the tasks of each condition with all its draws, one after the other."""
    arrays: Mapping[str, int]
    """The bytes of each array, compressed."""
    receipts: int
    metadata: int
    disk: int
    """The bytes in whole blocks: what the store takes on a file system."""
    memory: Memory
    measured: tuple[int, ...]
    """The images of the tiles that were measured."""
    pilot_seconds: float

    @property
    def store(self) -> int:
        """Return the bytes of all objects of the store."""
        return sum(self.arrays.values()) + self.receipts + self.metadata

    @property
    def elapsed(self) -> float:
        """Return the seconds from start to end on all workers, without imports and the start of a cluster."""
        return self.preparing + self.loading + sum(stage.elapsed for stage in self.stages.values())

    @property
    def seconds(self) -> float:
        """Return the seconds from start to end on one worker."""
        return self.preparing + self.loading + sum(stage.seconds for stage in self.stages.values())


def estimate_cost(pilot: Pilot, images: int, tile: int, workers: int) -> CostEstimate:
    """Estimate the pilot's audit with `images` images in tiles of `tile`, on `workers` processes."""
    asked = asked_images(pilot.measure, pilot.seed, images)
    plan = replace(pilot.plan, sizes={**pilot.plan.sizes, TILE: images}, tile=tile, asked=asked)
    timed = _task_times(pilot, plan)
    arrays = {name: _scale(name, stored, pilot.plan, plan) for name, stored in pilot.arrays.items()}
    receipts = _receipts(plan)
    return CostEstimate(
        machine=pilot.machine,
        images=images,
        tile=tile,
        workers=workers,
        loading=pilot.loading.at(images),
        preparing=pilot.preparing.at(images),
        stages={stage: _stage_cost(tasks, workers) for stage, tasks in timed.items() if tasks},
        methods=_sum_by_column(pilot.methods, _of_axis("method", timed)),
        entries=_sum_by_column(pilot.condition_groups, _of_axis("perturbation", timed)),
        arrays={name: stored.bytes for name, stored in arrays.items()},
        receipts=receipts.bytes,
        metadata=pilot.metadata.bytes,
        disk=sum(_on_disk(stored) for stored in (*arrays.values(), receipts, pilot.metadata)),
        memory=Memory(ceil(fit_line(pilot.memory).at(min(tile, images))), pilot.shared),
        measured=tuple(few for few, _ in pilot.memory if few),
        pilot_seconds=pilot.seconds,
    )


def makespan(seconds: Iterable[float], workers: int) -> float:
    """Return when the last task ends, if each worker takes the next task as soon as it is free."""
    free = [0.0] * workers
    for duration in seconds:
        heapreplace(free, free[0] + duration)
    return max(free)


TaskTimes = list[tuple[int, float]]
"""The column and the seconds of each task of a stage, in their order."""


def _task_times(pilot: Pilot, plan: Plan) -> dict[str, TaskTimes]:
    lines = {column: fit_line(points) for column, points in pilot.tasks.items()}

    def seconds(task: Task) -> float:
        return lines[task.stage, task.column].at(plan.n_images(task))

    return {stage: [(task.column, seconds(task)) for task in plan.tasks(stage)] for stage in STAGES}


def _of_axis(axis: Axis, timed: Mapping[str, TaskTimes]) -> TaskTimes:
    """Return the tasks of all stages that share out the elements of one axis."""
    return [task for stage, tasks in timed.items() if STAGES[stage].axis == axis for task in tasks]


def _stage_cost(tasks: TaskTimes, workers: int) -> StageCost:
    seconds = [duration for _, duration in tasks]
    return StageCost(len(tasks), sum(seconds), makespan(seconds, workers))


def _sum_by_column(names: Sequence[str], tasks: TaskTimes) -> dict[str, float]:
    totals = dict.fromkeys(names, 0.0)
    for column, seconds in tasks:
        totals[names[column]] += seconds
    return totals


def _scale(name: str, stored: StoredFiles, few: Plan, plan: Plan) -> StoredFiles:
    if not stored.by_image:
        return stored
    (images, tiles), (more_images, more_tiles) = _extent(name, few), _extent(name, plan)
    n_bytes = ceil(stored.bytes / images * more_images)
    return StoredFiles(n_bytes, ceil(stored.files / tiles * more_tiles), by_image=True)


def _extent(name: str, plan: Plan) -> tuple[int, int]:
    """Return how many images an array has values of, and in how many tiles."""
    for stage in STAGES.values():
        if stage.asks and VARIABLES[name] in stage.writes:
            return len(plan.asked[stage.asks]), len(plan.tiles(stage.name))
    return plan.sizes[TILE], plan.n_tiles


def _receipts(plan: Plan) -> StoredFiles:
    sizes = [receipt_size(plan, task) for task in plan.all_tasks()]
    return StoredFiles(sum(sizes), len(sizes), by_image=True)


def _on_disk(stored: StoredFiles) -> int:
    """Return the bytes on a disk, where every file takes whole blocks."""
    return stored.files * BLOCK * ceil(stored.bytes / max(stored.files, 1) / BLOCK)
