"""The arguments of a perturbation: images with their labels and classes, and the options of its condition."""

from collections.abc import Sequence
from typing import Any

import torch

from attacks.types import Images, Samples
from pipeline.plan.conditions import Condition
from pipeline.stages.context import Context


def samples(context: Context, rows: Sequence[int]) -> Samples:
    """Return all that a perturbation may know of the images at `rows`."""
    others, device = context.target_images[list(rows)].tolist(), context.model.device
    return Samples(
        images=images_at(context, rows),
        label=torch.tensor([context.data.labels[row] for row in rows], device=device),
        target=context.target(rows),
        target_images=images_at(context, others),
        target_images_target=context.target(others),
        masks=context.data.masks(rows).to(device) if context.plan.has_masks else None,
    )


def images_at(context: Context, rows: Sequence[int]) -> Images:
    """Return the clean images at `rows`, on the network's device."""
    return context.data.images(rows).to(context.model.device)


def options_of(context: Context, condition: Condition) -> dict[str, Any]:
    """Return the keyword arguments of a condition's perturbation, with the method that it goes against."""
    attacked = {"attributor": context.attackable(condition.against)} if condition.against else {}
    return {**condition.options, **attacked}
