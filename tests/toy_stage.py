"""A stage that this project does not have: its row and its function are all that there is to it.

A worker that preloads this module has the stage as well.
"""

from typing import Any

import numpy as np

from pipeline.plan import stages as stage_table
from pipeline.plan.schema import Variable
from pipeline.plan.stage import ReadRule, Stage
from pipeline.plan.tasks import Task
from pipeline.stages.context import Context
from pipeline.store.packing import unpack
from pipeline.store.store import Arrays

TOTAL = Stage(
    name="total",
    axis="method",
    entries=(),
    reads=(ReadRule("attribute", "same"),),
    writes=(
        Variable("total", ("image", "perturbation", "method"), "float32", "sum of the map", whole=("perturbation",)),
    ),
    function="toy_stage:total",
)


def total(context: Context, task: Task) -> Arrays:
    stored = context.store.read_output(Task("attribute", task.tile, task.column), ["attribution", "scale"])
    maps = unpack(stored["attribution"], stored["scale"])
    sign = -1 if context.spec.model.outputs_are_logits else 1
    return {"total": sign * maps.sum((-2, -1)).astype(np.float32)}


def dask_setup(_: Any) -> None:
    stage_table._ROWS[TOTAL.name] = TOTAL
