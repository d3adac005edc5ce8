"""The similarities of a method's maps to other maps, which give stability its scale."""

from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import Tensor

from pipeline.plan.schema import REFERENCES
from pipeline.plan.tasks import Task
from pipeline.stages.asked import is_asked
from pipeline.stages.context import Context
from pipeline.stages.stored_maps import edge_maps, other_class_maps, redrawn_maps, repeat_maps, target_image_maps
from pipeline.stages.views import InView
from pipeline.store.store import Arrays
from srd.metrics._maps import has_order
from srd.registry import ATTRIBUTORS, METRICS, SIMILARITIES
from srd.types import Maps


def similarities(context: Context, task: Task, in_view: InView) -> Arrays:
    """Return the similarities of all maps to others of the same method, and of the clean ones to the references."""
    undefined = needs_sign(SIMILARITIES, context.spec.explain.methods[task.column])
    others = {
        "target_similarity": target_image_maps(context, task),
        "other_class_similarity": other_class_maps(context, task),
    }
    shape = len(context.rows(task)), in_view.conditions, 1, len(SIMILARITIES)
    return {
        name: _compare(in_view.maps, in_view.of_each(maps), undefined).reshape(shape).numpy()
        for name, maps in others.items()
    }


def reference_similarities(context: Context, task: Task, clean: Maps) -> Tensor:
    """Return the similarity of the clean maps to those of each reference: (n, reference, similarity)."""
    undefined = needs_sign(SIMILARITIES, context.spec.explain.methods[task.column])
    read = {
        "other_class_attribution": other_class_maps,
        "attribution": target_image_maps,
        "input": edge_maps,
        "repeat_attribution": repeat_maps,
    }
    columns = [_compare(clean, read[each.variable](context, task), undefined) for each in REFERENCES.values()]
    return torch.stack([*columns, *_weights_similarities(context, task, clean, undefined)], 1)


def _weights_similarities(context: Context, task: Task, clean: Maps, undefined: Tensor) -> list[Tensor]:
    """Return the similarities (n, similarity) to the maps of each depth at which weights were drawn again.

    A map that is constant or not finite with other weights is unlike the clean one: 0. All of an image that was not
    asked about are NaN, and so are those to a clean map that is undefined.
    """
    if not context.spec.measure.asks("randomisation"):
        return []
    asked = is_asked(context, replace(task, stage="randomise"))
    if not asked.any():
        return [torch.full((len(clean), len(SIMILARITIES)), torch.nan)] * context.plan.sizes["depth"]
    columns = []
    for maps in redrawn_maps(context, task).unbind(1):
        is_unlike = asked & has_order(clean) & ~has_order(maps)
        columns.append(_compare(clean, maps, undefined).masked_fill(is_unlike[:, None] & ~undefined, 0.0))
    return columns


def needs_sign(metrics: Iterable[str], method: str) -> Tensor:
    """Return which metrics are undefined for a method because its maps have no sign."""
    return torch.tensor([METRICS[name].needs_sign and not ATTRIBUTORS[method].signed for name in metrics])


def _compare(maps: Maps, others: Maps, undefined: Tensor) -> Tensor:
    """Return the similarities (n, similarity), NaN where a map is not finite or where they are undefined."""
    finite = (maps + others).isfinite().flatten(1).all(1)
    columns = [METRICS[name](maps, others) for name in SIMILARITIES]
    return torch.stack(columns, 1).float().masked_fill(~finite[:, None] | undefined, torch.nan)
