"""Small stores that tests of the store fill themselves: a plan, its arrays, and where their shards lie."""

from pathlib import Path
from typing import Any

import numpy as np
from small_audits import attributes_of

from benchmarks.blank import blank_coordinates
from pipeline.plan.schema import PREPARED
from pipeline.plan.stages import VARIABLES
from pipeline.plan.tasks import Plan, Task
from pipeline.spec.audit import parse_spec
from pipeline.store.creation import NewStore, create
from pipeline.store.location import Location
from pipeline.store.store import (
    Arrays,
    Store,
)

SIZES = {
    "image": 5, "perturbation": 2, "method": 2, "metric": 3, "reference": 3, "similarity": 2,
    "class": 4, "channel": 3, "y": 6, "x": 6, "evidence": 2, "measure": 2, "quality": 3, "subset": 6, "answer": 3,
    "control": 2, "fill": 2, "order": 2, "step": 3, "ranking": 2, "depth": 4,
}  # fmt: skip


PLAN = Plan(
    SIZES,
    tile=2,
    has_masks=True,
    attacks=(1,),
    universal=(1,),
    stochastic=(1,),
    attacked=(0,),
    asked={"faithfulness": (0, 1, 4), "randomisation": (2, 3)},
)
"""The tile in the middle is not asked about faithfulness, and is the only one about randomisation."""


SPEC = parse_spec(
    {
        "model": {"spec": "demo:vgg"},
        "data": {"path": "demo:shapes"},
        "explain": {"methods": ["srd", "random"]},
        "perturbation": [{"name": "pgd", "strengths": ["8/255"]}],
    },
    "spec",
)


def coordinates(plan: Plan = PLAN) -> dict[str, list[str | float]]:
    images: list[str | float] = [f"a/{n}.png" for n in range(plan.sizes["image"])]
    return {**blank_coordinates(plan), "image": images, "method": ["srd", "random"]}


def new_store(plan: Plan = PLAN) -> NewStore:
    return NewStore(coordinates(plan), prepared(), attributes_of(SPEC, plan))


def prepared() -> Arrays:
    return {name: np.arange(5) for name in PREPARED}


def make(path: Path, plan: Plan = PLAN) -> Store:
    create(at(path), new_store(plan))
    return Store(at(path))


def at(path: Path) -> Location:
    return Location(str(path))


def arrays(task: Task, seed: int = 0) -> dict[str, np.ndarray[Any, Any]]:
    """Return arrays that a task might write."""
    random, made = np.random.default_rng([seed, task.tile, task.column]), {}
    for variable in PLAN.variables(task):
        region = PLAN.region(task, variable)
        shape = [len(range(*part.indices(SIZES[dim]))) for part, dim in zip(region, variable.dims, strict=True)]
        made[variable.name] = (random.normal(size=shape) * 9).astype(variable.dtype)
    return made


def shard_file(path: Path, task: Task, name: str) -> Path:
    variable = VARIABLES[name]
    region, shard = PLAN.region(task, variable), variable.shard(SIZES, PLAN.tile)
    position = [(part.start or 0) // size for part, size in zip(region, shard, strict=True)]
    return path.joinpath(name, "c", *map(str, position))
