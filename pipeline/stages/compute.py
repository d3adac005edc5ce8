"""What a task computes: region of the store in, region of the store out."""

from pipeline.plan import Task
from pipeline.stage_table import STAGES
from pipeline.stages.context import Context
from pipeline.store import Arrays


def compute(context: Context, task: Task) -> Arrays:
    """Return all arrays that a task writes, by the function of its stage."""
    arrays: Arrays = STAGES[task.stage].load()(context, task)
    return arrays
