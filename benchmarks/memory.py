"""The memory of a worker on a ResNet-50, by stage: the most that a process uses while it does one task.

Prints a Markdown table. Each task runs in a process of its own, with the allocator's settings of a worker. What it
reads is made up: clean images under all conditions, and maps of noise. Attacks take two steps, which need the memory of
many.
"""

import argparse
import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from benchmarks.gpu import write_resnet50_audit
from benchmarks.stores import noise
from pipeline.execution.job import Job
from pipeline.execution.on_dask.settings import ALLOCATOR
from pipeline.execution.preparation import prepare
from pipeline.execution.subjects import context_of
from pipeline.machine.environment import hardware, reproducible
from pipeline.machine.memory import forget_peak, in_units, peak_memory
from pipeline.machine.outputs import AS_TEXT
from pipeline.plan.tasks import Task
from pipeline.spec.audit import load_spec
from pipeline.stages.compute import compute
from pipeline.stages.context import Context
from pipeline.store.location import Location

SPEC = """
[model]
spec = "network.py:build"
weights = "weights.pt"
mean = [0.5]
std = [0.25]

[data]
path = "images"

[explain]
methods = ["srd", "saliency", "grad_cam", "integrated_gradients"]
options.integrated_gradients.points = 8

[[perturbation]]
name = "gaussian_noise"
strengths = [0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.1, 0.11, 0.12, 0.13, 0.14]

[[perturbation]]
name = "pgd"
strengths = ["8/255"]
options.steps = 2

[[perturbation]]
name = "manipulate"
strengths = ["8/255"]
options.steps = 2

[measure]
n_faithfulness = 1
n_randomise = 1

[run]
tile = {tile}
"""
STAGES = ("perturb", "attribute", "occlude", "remove", "randomise", "score")


def main() -> None:
    """Print the table, or what one task needs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=224, help="pixels of a side")
    parser.add_argument("--tile", type=int, default=8)
    parser.add_argument("--stages", nargs="+", default=STAGES)
    parser.add_argument("--task", nargs=3, help="home, stage and column of the one task to measure")
    given = parser.parse_args()
    if given.task:
        home, stage, column = given.task
        print(json.dumps(_measure(_job(Path(home)), stage, int(column))))
    else:
        _print_table(given.size, given.tile, given.stages)


def _print_table(size: int, tile: int, stages: tuple[str, ...]) -> None:
    with TemporaryDirectory() as folder:
        home = Path(folder)
        write_resnet50_audit(home, tile, size, SPEC.format(tile=tile))
        job = _job(home)
        plan = prepare(job).plan
        print(f"{hardware()}, torch {torch.__version__}, {date.today()}.")
        print(f"ResNet-50, {size}x{size}, {plan.sizes['perturbation']} conditions, tiles of {tile} images.\n")
        print("| stage | of | before | peak |\n|---|---|---|---|")
        for stage in stages:
            for task in [task for task in plan.tasks(stage) if _is_telling(task, context_of(job))]:
                of = _name(task, context_of(job))
                before, most = _in_its_own_process(home, task)
                print(f"| {stage} | {of} | {in_units(before)} | {in_units(most)} |", flush=True)


def _job(home: Path) -> Job:
    return Job(load_spec(home / "resnet50.toml"), home, Location(str(home / "audit.zarr")))


def _name(task: Task, context: Context) -> str:
    if task.stage == "perturb":
        return context.conditions[task.column].id
    return context.spec.explain.methods[task.column] if task.stage not in {"occlude"} else "all methods"


def _is_telling(task: Task, context: Context) -> bool:
    """Return whether a task is the first of those that need the same memory."""
    return task.stage != "perturb" or task.column < 2 or not context.conditions[task.column].id.startswith("gauss")


def _in_its_own_process(home: Path, task: Task) -> tuple[int, int]:
    command = [sys.executable, "-P", "-m", "benchmarks.memory", "--task", str(home), task.stage, str(task.column)]
    ended = subprocess.run(command, env=os.environ | ALLOCATOR, check=True, stdout=subprocess.PIPE, **AS_TEXT)
    before, most = json.loads(ended.stdout.splitlines()[-1])
    return before, most


def _measure(job: Job, stage: str, column: int) -> tuple[int, int]:
    """Return the bytes that this process uses before a task, and at most while it does it."""
    context = context_of(job)
    task = Task(stage, 0, column)
    _write_what_it_reads(context, task)
    forget_peak()
    before = peak_memory()
    with reproducible():
        arrays = compute(context, task)
    context.store.write(task, arrays)
    after = peak_memory()
    return before.of(1), after.of(1)


def _write_what_it_reads(context: Context, task: Task) -> None:
    """Write all other tasks of the tile, unless they are there: clean images, and noise."""
    rows = context.rows(task)
    clean = context.data.images(rows).numpy()[:, None].astype(np.float32)
    for other in context.plan.all_tasks():
        if other != task and other.key not in context.store.receipts.find([other.key]):
            made = noise(context.plan, other)
            context.store.write(other, made | ({"input": clean} if "input" in made else {}))


if __name__ == "__main__":
    main()
