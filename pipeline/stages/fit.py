"""The stage that searches once for all images of an audit: for universal displacements."""

from functools import partial

from attacks.registry import PERTURBATIONS
from pipeline.machine import seeds
from pipeline.plan.tasks import Task
from pipeline.stages.context import Context
from pipeline.stages.samples import options_of, samples
from pipeline.store.store import Arrays


def fit(context: Context, task: Task) -> Arrays:
    """Search for the displacement of one universal perturbation on some images, drawn by a stream of their own."""
    condition, count = context.conditions[task.column], context.plan.n_images(task)
    rows = seeds.sample(context.spec.run.seed, len(context.data.ids), count, "universal")
    generators = context.generators("fit", rows, condition.id)
    search = partial(PERTURBATIONS[condition.name].load(), **options_of(context, condition))
    displacement = search(context.model, samples(context, rows), condition.strength, generators)
    return {"displacement": displacement.cpu().numpy()}
