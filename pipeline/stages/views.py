"""Maps moved back from geometric changes, and compared on the pixels that were in view."""

from typing import NamedTuple

import torch

from attacks.registry import PERTURBATIONS
from pipeline.plan.conditions import CLEAN
from pipeline.plan.tasks import Task
from pipeline.stages.context import Context
from srd.types import Maps, Masks


class InView(NamedTuple):
    """Maps under all conditions, moved back into the clean frame, compared on the pixels that were in view."""

    maps: Maps
    """(n * conditions, h, w)"""
    seen: Masks
    conditions: int

    def of_each(self, others: Maps) -> Maps:
        """Return one map for each image as often as there are conditions, by what is in view there."""
        return level(others.repeat_interleave(self.conditions, 0), self.seen)


def in_clean_frame(context: Context, task: Task, maps: Maps) -> tuple[Maps, Masks]:
    """Return all maps moved back from geometric changes, and the pixels that were in view.

    The maps are 0 where nothing was in view.
    """
    moved, seen = maps.clone(), torch.ones_like(maps, dtype=torch.bool)
    for column, condition in enumerate(context.conditions):
        if condition.id == CLEAN or not PERTURBATIONS[condition.name].inverse:
            continue
        move_back = PERTURBATIONS[condition.name].load_inverse()
        generators = context.generators("perturb", context.rows(task), condition.id)
        back, seen[:, column] = move_back(maps[:, column], condition.strength, generators)
        moved[:, column] = back.where(seen[:, column], 0)
    return moved, seen


def level(maps: Maps, seen: Masks) -> Maps:
    """Return the maps with the mean over the pixels in view at all other pixels.

    The correlation is then that of the pixels in view.
    """
    total = maps.double().where(seen, 0).sum((1, 2), keepdim=True)
    return maps.where(seen, (total / seen.sum((1, 2), keepdim=True).clamp(min=1)).to(maps))
