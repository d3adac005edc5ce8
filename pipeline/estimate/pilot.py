"""The pilot of an audit: the same audit on a few images, run into a store that is thrown away, and measured.

The same functions run it.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TypeVar

import torch

from pipeline.estimate.estimate import CostLine, Pilot, Point, StoredFiles, fit_line
from pipeline.estimate.units import measure_unit
from pipeline.execution.calls import perform
from pipeline.execution.job import Job
from pipeline.execution.preparation import prepare_store
from pipeline.execution.subjects import context_of, load_subject
from pipeline.execution.worker import locating_errors
from pipeline.inputs.data import load_data, n_images
from pipeline.machine import environment
from pipeline.machine.memory import Memory, forget_peak, peak_memory
from pipeline.machine.phases import Phase, Tell, tell_nobody
from pipeline.plan.conditions import conditions
from pipeline.plan.schema import TILE
from pipeline.plan.stages import STAGES, VARIABLES
from pipeline.plan.tasks import Task, TaskColumn
from pipeline.spec.audit import AuditSpec
from pipeline.stages.context import Context
from pipeline.store import store
from pipeline.store.location import Location
from pipeline.store.receipts import METADATA, PREPARATION
from pipeline.store.records import key_in_records, records_folder

T = TypeVar("T")

FEWEST = (2, 4, 8, 16, 32)
"""The numbers of images that the first trial may have. It takes the first number with images of two predicted
classes, which an audit needs."""

CHEAP = 0.3
"""A task that takes fewer seconds is run twice: the first time warms up, the second time counts."""
QUICK = 30.0
"""If the first trial takes more seconds, there is no second: costs are then proportional to the images."""
OTHERS = "others"
"""The files of a store that neither hold values of variables nor are receipts."""


@dataclass(frozen=True)
class Trial:
    """An audit of a few images, and its cost."""

    job: Job
    images: int
    seconds: dict[TaskColumn, float]
    """The seconds of a task."""
    loading: float
    preparing: float
    empty: int
    """The bytes that the process used for itself before the first task."""
    memory: Memory

    @property
    def tile(self) -> int:
        return self.job.spec.run.tile

    def n_images(self, column: TaskColumn) -> int:
        """Return the number of images that a task works on."""
        return self.tile if STAGES[column[0]].per_tile else self.images


def measure(spec: AuditSpec, base: Path, trusted: tuple[Path, ...] = (), tell: Tell = tell_nobody) -> Pilot:
    """Audit 2 images, then twice as many or as many as a tile has, unless that would take long; leave nothing behind.

    Relative paths of the spec start at `base`; code in `trusted` files of weights may run. Errors are those of the
    audit itself.
    """
    began = perf_counter()
    n = n_images(spec.data, base)
    with TemporaryDirectory(prefix="srd-audit-") as folder, torch.random.fork_rng():  # a network may be built at random

        def run_trial(images: int) -> Trial:
            return _run_trial(_job(spec, images, base, Location(folder) / str(images), trusted), tell)

        trials = [run_trial(_fewest_images(spec, base, n, trusted))]
        more = min(2 * trials[0].images, spec.run.tile, n)
        is_quick = perf_counter() - began < QUICK
        trials += [run_trial(more)] if is_quick and more > trials[0].images else []
        return _pilot(spec, trials, began)


def _shorten(spec: AuditSpec, images: int) -> AuditSpec:
    """Return the same audit on a few images, in one tile unless its own tile is smaller, that asks about all."""
    data = spec.data.model_copy(update={"n": images})
    run = spec.run.model_copy(update={"tile": min(spec.run.tile, images)})
    measure = spec.measure.model_copy(update={"n_faithfulness": images, "n_randomise": images})
    return spec.model_copy(update={"data": data, "run": run, "measure": measure})


def _job(spec: AuditSpec, images: int, base: Path, store: Location, trusted: tuple[Path, ...]) -> Job:
    return Job(_shorten(spec, images), base, store, trusted=trusted)


def _fewest_images(spec: AuditSpec, base: Path, n: int, trusted: tuple[Path, ...]) -> int:
    images = 0
    for images in (min(few, n) for few in FEWEST):
        subject = load_subject(_job(spec, images, base, Location(str(base)), trusted))
        with torch.no_grad():
            logits = subject.model.model(subject.data.images(range(images)))
        if len(logits.argmax(-1).unique()) > 1:
            break
    return images


def _run_trial(job: Job, tell: Tell) -> Trial:
    loading, subject = _time(partial(load_subject, job, tell))
    preparing, attributes = _time(partial(prepare_store, job, subject, tell))
    context = context_of(job)
    empty, peaks = peak_memory().private, []
    tasks = list(attributes.plan.all_tasks())
    seconds: dict[TaskColumn, list[float]] = defaultdict(list)
    for number, task in enumerate(tasks, 1):
        tell(Phase("measuring", f"{_in_words(context, task)} ({number} of {len(tasks)})"))
        took, peak = _seconds_and_peak(job, context, task)
        seconds[task.stage, task.column].append(took)
        peaks.append(peak)
    means = {column: mean(each) for column, each in seconds.items()}
    return Trial(job, job.spec.data.n or 0, means, loading, preparing, empty, Memory(max(peaks), peak_memory().shared))


def _in_words(context: Context, task: Task) -> str:
    names = {
        "perturbation": [condition.id for condition in context.conditions],
        "method": context.spec.explain.methods,
        None: ("all",),
    }
    return f"{task.stage} {names[STAGES[task.stage].axis][task.column]}"


def _seconds_and_peak(job: Job, context: Context, task: Task) -> tuple[float, int]:
    """Return the seconds of a task, and the most bytes that the process uses for itself meanwhile."""
    forget_peak()
    before = peak_memory().private
    with locating_errors(job, task):
        unit = measure_unit(context, task)
    if unit is None:
        return _task_seconds(job, task), peak_memory().private
    peak = before + unit.batch * (peak_memory().private - before)
    with locating_errors(job, task):
        context.store.write(task, unit.arrays())
    return unit.seconds, peak


def _task_seconds(job: Job, task: Task) -> float:
    first, _ = _time(partial(perform, job, task))
    return first if first > CHEAP else _time(partial(perform, job, task))[0]


def _time(function: Callable[[], T]) -> tuple[float, T]:
    began = perf_counter()
    result = function()
    return perf_counter() - began, result


def _pilot(spec: AuditSpec, trials: Sequence[Trial], began: float) -> Pilot:
    last = trials[-1]
    files = _stored_files(Path(last.job.store.url))
    tasks = {column: [(trial.n_images(column), trial.seconds[column]) for trial in trials] for column in last.seconds}
    return Pilot(
        plan=store.attributes(last.job.store).plan,
        measure=spec.measure,
        seed=spec.run.seed,
        methods=spec.explain.methods,
        condition_groups=tuple(condition.group for condition in conditions(spec)),
        tasks=tasks,
        loading=_line_through(last.images, last.loading, _reading_seconds(last.job) / last.images),
        preparing=_line_through(last.images, last.preparing, fit_line(tasks["perturb", 0]).each),
        arrays={name: stored for name, stored in files.items() if name in VARIABLES},
        metadata=files[OTHERS],
        memory=_memory(trials),
        shared=last.memory.shared,
        seconds=perf_counter() - began,
        machine=environment.hardware(),
    )


def _memory(trials: Sequence[Trial]) -> list[Point]:
    """Return the peaks at the measured tiles; of a single trial also what the process used without any image."""
    peaks: list[Point] = [(trial.tile, trial.memory.private) for trial in trials]
    return peaks if len(peaks) > 1 else [(0, min(trials[0].empty, trials[0].memory.private)), *peaks]


def _line_through(images: int, seconds: float, each: float) -> CostLine:
    """Return the line with slope `each` through what was measured for `images`."""
    return CostLine(max(seconds - each * images, 0), each)


def _reading_seconds(job: Job) -> float:
    """Return the seconds in which all images are read and checked."""
    return _time(partial(load_data, job.spec.data, job.spec.model, job.base))[0]


def _stored_files(path: Path) -> dict[str, StoredFiles]:
    """Return the files in a store except receipts: those of each array, and all others."""
    sizes: dict[str, list[int]] = defaultdict(list)
    for file in path.rglob("*"):
        if file.is_file():
            sizes[_kind(file.relative_to(path))].append(file.stat().st_size)
    sizes[OTHERS] += [file.stat().st_size for file in records_folder(path).glob(f"{key_in_records(PREPARATION)}/*")]
    return {kind: StoredFiles(sum(each), len(each), _grows(kind)) for kind, each in sizes.items()}


def _kind(file: Path) -> str:
    home = file.parts[0]
    return home if file.name != METADATA and home in VARIABLES else OTHERS


def _grows(kind: str) -> bool:
    return kind in VARIABLES and TILE in VARIABLES[kind].dims
