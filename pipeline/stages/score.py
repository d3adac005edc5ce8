"""The stage that computes every metric of every stored map, on the CPU."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attacks.registry import PERTURBATIONS
from pipeline.plan.conditions import CLEAN
from pipeline.plan.schema import REFERENCES, Reason
from pipeline.plan.tasks import Task
from pipeline.stages.context import Context
from pipeline.store.packing import unpack
from pipeline.store.store import Arrays
from srd.registry import ATTRIBUTORS, METRICS, SIMILARITIES
from srd.types import Maps, Masks, Scores


def score(context: Context, task: Task) -> Arrays:
    """Measure one method's stored maps of the tile by every metric."""
    maps = _read_maps(context, task)
    n, p = maps.shape[:2]
    flat, seen = (some.flatten(0, 1) for some in _in_clean_frame(context, task, maps))
    clean = maps[:, :1].expand_as(maps).flatten(0, 1)
    masks = _read_masks(context, task)
    given = {"two maps": (_level(clean, seen), _level(flat, seen)), "map": (flat,)}
    if masks is not None:
        given["map and mask"] = (flat, masks[:, None].expand_as(maps).flatten(0, 1))
    columns = [entry(*given[entry.of]) if entry.of in given else flat.new_full((n * p,), torch.nan)
               for entry in METRICS.values()]  # fmt: skip
    broken = _not_finite(maps)
    unsigned = torch.tensor([lacks_sign(context.spec.explain.methods[task.column], name) for name in METRICS])
    scores = torch.stack(columns, 1).float().reshape(n, p, 1, -1).masked_fill(broken | unsigned, torch.nan)
    return {
        "score": scores.numpy(),
        "reason": np.where(unsigned, np.uint8(Reason.UNSIGNED_METHOD), _reasons(scores, masks, broken)),
        "reference_similarity": _references(context, task, maps[:, 0]).numpy()[:, None],
    }


def _read_maps(context: Context, task: Task) -> Maps:
    """Return the maps (n, p, h, w) that the attribute task of the same tile and method wrote."""
    stored = context.store.read_output(_attribute_task(task), ["attribution", "scale"])
    return _unpack_maps(stored["attribution"][:, :, 0], stored["scale"][:, :, 0])


def _unpack_maps(values: NDArray[Any], scale: NDArray[Any]) -> Maps:
    return torch.from_numpy(unpack(values, scale))


def _attribute_task(task: Task) -> Task:
    return replace(task, stage="attribute")


def _read_masks(context: Context, task: Task) -> Tensor | None:
    if not context.plan.has_masks:
        return None
    return torch.from_numpy(context.store.read_output(_clean_task(task), ["mask"])["mask"])


def _clean_task(task: Task) -> Task:
    """Return the task that wrote the clean images of the tile and their masks."""
    return Task("perturb", task.tile, 0)


def _in_clean_frame(context: Context, task: Task, maps: Maps) -> tuple[Maps, Masks]:
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


def _level(maps: Maps, seen: Masks) -> Maps:
    """Return the maps with the mean over the pixels in view at all other pixels.

    The correlation is then that of the pixels in view.
    """
    total = maps.double().where(seen, 0).sum((1, 2), keepdim=True)
    return maps.where(seen, (total / seen.sum((1, 2), keepdim=True).clamp(min=1)).to(maps))


def _not_finite(maps: Maps) -> Tensor:
    """Return which scores (n, p, 1, metric) use a map that is not finite: their own map, or the clean one."""
    own = ~maps.isfinite().flatten(2).all(2)[:, :, None, None]
    compares = torch.tensor([entry.of == "two maps" for entry in METRICS.values()])
    return own | (own[:, :1] & compares)


def _reasons(scores: Scores, masks: Tensor | None, broken: Tensor) -> NDArray[np.uint8]:
    """Return why each score is NaN."""
    needs_mask = torch.tensor([entry.of == "map and mask" for entry in METRICS.values()])
    reasons = torch.where(broken, Reason.NOT_FINITE, scores.isnan() * Reason.NO_CONTRAST)
    if masks is None:
        reasons[..., needs_mask] = Reason.NO_MASKS
    else:
        reasons[(~masks.flatten(1).any(1))[:, None, None, None] & needs_mask & scores.isnan()] = Reason.EMPTY_MASK
    return reasons.to(torch.uint8).numpy()


def _references(context: Context, task: Task, clean: Maps) -> Scores:
    """Return the similarity of the clean maps to those of REFERENCES: (n, reference, similarity)."""
    read = {"other_class_attribution": _other_class_maps, "attribution": _target_image_maps, "input": _edges}
    others = [read[reference.variable](context, task) for reference in REFERENCES.values()]
    pairs = [[_similarity(name, clean, maps) for name in SIMILARITIES] for maps in others]
    unsigned = torch.tensor([lacks_sign(context.spec.explain.methods[task.column], name) for name in SIMILARITIES])
    return torch.stack([torch.stack(row, 1) for row in pairs], 1).float().masked_fill(unsigned, torch.nan)


def lacks_sign(method: str, metric: str) -> bool:
    """Return whether a metric says nothing of a method because the method's maps have no sign."""
    return METRICS[metric].needs_sign and not ATTRIBUTORS[method].signed


def _similarity(name: str, maps: Maps, others: Maps) -> Scores:
    """Return a similarity of maps, NaN if one of the two is not finite."""
    finite = (maps + others).isfinite().flatten(1).all(1)
    return torch.where(finite, METRICS[name](maps, others), torch.nan)


def _other_class_maps(context: Context, task: Task) -> Maps:
    stored = context.store.read_output(_attribute_task(task), ["other_class_attribution", "other_class_scale"])
    return _unpack_maps(stored["other_class_attribution"][:, 0], stored["other_class_scale"][:, 0])


def _target_image_maps(context: Context, task: Task) -> Maps:
    """Return the clean maps of the target images, which lie in any tile."""
    rows = context.target_images[context.rows(task)].tolist()
    values, scale = ([_read_clean(context, task, name, row) for row in rows] for name in ("attribution", "scale"))
    return _unpack_maps(np.stack(values), np.stack(scale))


def _read_clean(context: Context, task: Task, name: str, row: int) -> NDArray[Any]:
    """Return what the same method's attribute task of another image wrote of its clean image."""
    writer = Task("attribute", row // context.plan.tile, task.column)
    clean: NDArray[Any] = context.store.read_image(writer, name, row)[0, 0]
    return clean


def _edges(context: Context, task: Task) -> Maps:
    inputs = context.inputs(torch.from_numpy(context.store.read_output(_clean_task(task), ["input"])["input"][:, 0]))
    maps: Maps = ATTRIBUTORS["edges"](context.model.network, inputs, context.target(context.rows(task)))
    return maps.cpu()
