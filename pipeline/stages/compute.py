"""The computation of a task, from its stage's function."""

from pipeline.plan.stages import STAGES
from pipeline.plan.tasks import Task
from pipeline.stages.context import Context
from pipeline.store.store import Arrays


def compute(context: Context, task: Task) -> Arrays:
    """Return all arrays that a task writes, as the function of its stage computes them."""
    arrays: Arrays = STAGES[task.stage].load()(context, task)
    return arrays
