"""What a task computes: region of the store in, region of the store out."""

from pipeline.plan.stages import STAGES
from pipeline.plan.tasks import Task
from pipeline.stages.context import Context
from pipeline.store.store import Arrays


def compute(context: Context, task: Task) -> Arrays:
    """Return all arrays that a task writes, by the function of its stage."""
    arrays: Arrays = STAGES[task.stage].load()(context, task)
    return arrays
