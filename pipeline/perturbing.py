"""The images of an audit: what is searched for once for all of them, and every image under every perturbation."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from attacks.entries import EVIDENCE
from attacks.registry import PERTURBATIONS
from attacks.types import Found, Samples
from pipeline import seeds
from pipeline.conditions import CLEAN, Condition
from pipeline.context import Context
from pipeline.plan import Task
from pipeline.store import Arrays

FITTED_TO = 32  # images, to which a universal perturbation is fitted


def fit(context: Context, task: Task) -> Arrays:
    """The displacement of one universal perturbation, searched for on some images drawn by a stream of their own."""
    condition = context.conditions[task.column]
    rows = sorted(seeds.shuffled(context.spec.run.seed, len(context.data.ids), "universal")[:FITTED_TO])
    generators = context.generators("fit", rows, condition.id)
    search = partial(PERTURBATIONS[condition.name].load(), **_options(context, condition))
    displacement = search(context.model, _samples(context, rows), condition.strength, generators)
    return {"displacement": displacement.numpy()}


def perturb(context: Context, task: Task) -> Arrays:
    """The tile's images under one entry of the perturbation axis, and the network's logits there.

    Of an attack on explanations also what speaks for or against its search.
    """
    rows, condition = context.rows(task), context.conditions[task.column]
    found = _clean(context, task) if condition.id == CLEAN else _perturbed(context, task, condition)
    with torch.no_grad():
        logits = context.model(found.images)
    arrays = {"input": found.images.numpy()[:, None], "prediction": logits.numpy()[:, None]}
    if found.evidence:
        arrays["attack_evidence"] = torch.stack([found.evidence[name] for name in EVIDENCE], 1).float().numpy()[:, None]
    if context.plan.writes_mask(task):
        arrays["mask"] = context.data.masks(rows).numpy()
    return arrays


def _clean(context: Context, task: Task) -> Found:
    return Found(context.data.images(context.rows(task)), {})


def _perturbed(context: Context, task: Task, condition: Condition) -> Found:
    entry, options = PERTURBATIONS[condition.name], _options(context, condition)
    if entry.is_universal:
        entry = entry.application()
        options = {name: value for name, value in options.items() if name in {"attributor", *entry.options}}
        found = context.store.written(Task("fit", 0, task.column), ["displacement"])
        options["displacement"] = torch.from_numpy(found["displacement"])
    rows = context.rows(task)
    samples, generators = _samples(context, rows), context.generators("perturb", rows, condition.id)
    result = partial(entry.load(), **options)(context.model, samples, condition.strength, generators)
    return result if isinstance(result, Found) else Found(result, {})


def _options(context: Context, condition: Condition) -> dict[str, Any]:
    attacked = {"attributor": context.attributor(condition.against)} if condition.against else {}
    return {**condition.options, **attacked}


def _samples(context: Context, rows: Sequence[int]) -> Samples:
    index = np.array(rows)
    others: NDArray[np.int64] = context.target_images[index]
    return Samples(
        images=context.data.images(rows),
        label=torch.tensor([context.data.labels[row] for row in rows]),
        target=torch.from_numpy(context.targets[index]),
        target_images=context.data.images(others.tolist()),
        target_images_target=torch.from_numpy(context.targets[others]),
        masks=context.data.masks(rows) if context.plan.has_masks else None,
    )
