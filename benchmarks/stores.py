"""The cost of a store: writing a task's arrays beside plain zarr, and the status of very many tasks."""

import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import count
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from benchmarks.blank import blank_coordinates
from benchmarks.kernels import clock
from benchmarks.measuring import CPU, time_in_turns
from pipeline.execution.calls import prepare
from pipeline.execution.job import Job
from pipeline.execution.planning import asked_images
from pipeline.plan.schema import PREPARED
from pipeline.plan.tasks import Plan, Task
from pipeline.spec.audit import load_spec
from pipeline.store.attributes import RunAttributes
from pipeline.store.creation import NewStore, create
from pipeline.store.location import Location
from pipeline.store.receipts import RECEIPTS
from pipeline.store.records import key_in_records, records_folder
from pipeline.store.runs import SPEC_COPY
from pipeline.store.store import NAME, Store

COMMAND = "from reports.cli import main; main()"
RECEIPT = '{"sha256": {}}'


WriteTask = Callable[[Task, Mapping[str, NDArray[Any]]], None]


@dataclass(frozen=True)
class Writing:
    """The size of a task's arrays, and the seconds of each turn in which `Store.write` and plain zarr wrote them."""

    megabytes: float
    seconds: Mapping[str, list[float]]
    cpu: Mapping[str, list[float]]


@dataclass(frozen=True)
class Command:
    """Seconds and CPU seconds of whole commands, started anew each time."""

    elapsed: list[float]
    cpu: list[float]


def plan_like(spec: Path, **sizes: int) -> Plan:
    """Return the plan of a spec's audit, with other sizes of some dimensions; `tile` is that of the plan."""
    plan, asked_of = _attributes(spec).plan, _attributes(spec).fingerprinted.spec
    tile, sizes = sizes.pop("tile", plan.tile), {**plan.sizes, **sizes}
    asked = asked_images(asked_of.measure, asked_of.run.seed, sizes["image"])
    return replace(plan, sizes=sizes, tile=tile, asked=asked)


def create_empty(spec: Path, plan: Plan, place: Path) -> Store:
    """Create a store of the plan, which is like that of the spec."""
    zeros = _zeros(plan)
    attributes = _attributes(spec).model_copy(update={"plan": plan})
    create(Location(str(place)), NewStore(blank_coordinates(plan), zeros, attributes))
    return Store(Location(str(place)))


@cache
def _attributes(spec: Path) -> RunAttributes:
    with TemporaryDirectory() as folder:
        return prepare(Job(load_spec(spec), spec.parent.resolve(), Location(folder) / NAME))


def _zeros(plan: Plan) -> dict[str, NDArray[np.int64]]:
    return dict.fromkeys(PREPARED, np.zeros(plan.sizes["image"], np.int64))


def noise(plan: Plan, task: Task) -> dict[str, NDArray[Any]]:
    """Return arrays such as the task writes, hard to compress."""
    draw = np.random.default_rng([task.tile, task.column])
    return {
        variable.name: draw.normal(
            size=[
                len(range(*part.indices(plan.sizes[dim])))
                for part, dim in zip(plan.region(task, variable), variable.dims, strict=True)
            ]
        ).astype(variable.dtype)
        for variable in plan.variables(task)
    }


def measure_writing(spec: Path, plan: Plan, stage: str, rounds: int, home: Path) -> Writing:
    """Measure how long a task's arrays take to write: another tile in each turn, in two stores of one form."""
    arrays = noise(plan, Task(stage, 0, 0))
    own, _ = create_empty(spec, plan, home / "own"), create_empty(spec, plan, home / "plain")
    writes: Mapping[str, WriteTask] = {"Store.write": own.write, "plain zarr": _plain(plan, home / "plain")}
    competitors = {name: _writer(write, stage, arrays) for name, write in writes.items()}
    cpu: dict[str, list[float]] = {name: [] for name in competitors}
    timed = {name: _count_cpu(write, cpu[name]) for name, write in competitors.items()}
    seconds = time_in_turns(timed, rounds, CPU)
    size = sum(values.nbytes for values in arrays.values())
    return Writing(size / 1e6, seconds, {name: each[1:] for name, each in cpu.items()})


def _plain(plan: Plan, place: Path) -> WriteTask:
    """Return a function that writes the same shards by zarr alone, empty chunks as well: no digests, no receipt."""
    group = zarr.open_group(place, mode="r+")
    opened = {name: array.with_config({"write_empty_chunks": True}) for name, array in group.arrays()}

    def write(task: Task, arrays: Mapping[str, NDArray[Any]]) -> None:
        for variable in plan.variables(task):
            opened[variable.name][plan.region(task, variable)] = arrays[variable.name]

    return write


def _writer(write: WriteTask, stage: str, arrays: Mapping[str, NDArray[Any]]) -> Callable[[], None]:
    tiles = count()
    return lambda: write(Task(stage, next(tiles), 0), arrays)


def _count_cpu(run: Callable[[], None], cpu: list[float]) -> Callable[[], None]:
    def run_and_count() -> None:
        began = time.process_time()
        run()
        cpu.append(time.process_time() - began)

    return run_and_count


def write_finished_run(spec: Path, plan: Plan, folder: Path) -> int:
    """Write the folder of a run with every receipt and nothing else; return the number of tasks."""
    folder.mkdir()
    copyfile(spec, folder / SPEC_COPY)
    create_empty(spec, plan, folder / NAME)
    keys = [task.key for task in plan.all_tasks()]
    receipts = records_folder(folder / NAME) / key_in_records(RECEIPTS)
    receipts.mkdir(exist_ok=True)
    for key in keys:
        (receipts / key).write_text(RECEIPT, encoding="utf-8")
    return len(keys)


def measure_command(arguments: list[str], rounds: int) -> Command:
    """Measure `srd-audit` with these arguments.

    Raises
    ------
    CalledProcessError
        If it fails.
    """
    measured = Command([], [])
    for _ in range(rounds):
        before = _children()
        elapsed, _ = clock(lambda: _call(arguments))
        measured.elapsed.append(elapsed)
        measured.cpu.append(_children() - before)
    return measured


def _call(arguments: list[str]) -> None:
    subprocess.run([sys.executable, "-c", COMMAND, *arguments], check=True, stdout=subprocess.DEVNULL)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
