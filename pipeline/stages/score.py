"""The stage that computes every metric of every stored map, on the CPU."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NamedTuple

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
from srd.registry import ATTRIBUTORS, MAP_METRICS, METRICS, SIMILARITIES
from srd.types import Maps, Masks, Scores


def score(context: Context, task: Task) -> Arrays:
    """Measure one method's stored maps of the tile by every metric."""
    maps = _read_maps(context, task)
    n, p = maps.shape[:2]
    flat, seen = (some.flatten(0, 1) for some in _in_clean_frame(context, task, maps))
    masks = _read_masks(context, task)
    in_view = _InView(_level(flat, seen), seen, p)
    given = {"two maps": (in_view.of_each(maps[:, 0]), in_view.maps), "map": (flat,)}
    if masks is not None:
        given["map and mask"] = (flat, masks[:, None].expand_as(maps).flatten(0, 1))
    columns = [entry(*given[entry.of]) if entry.of in given else flat.new_full((n * p,), torch.nan)
               for entry in MAP_METRICS.values()]  # fmt: skip
    broken, unsigned = _not_finite(maps), _needs_sign(MAP_METRICS, context.spec.explain.methods[task.column])
    scores = torch.stack(columns, 1).float().reshape(n, p, 1, -1).masked_fill(broken | unsigned, torch.nan)
    comparisons = _Comparisons(_needs_sign(SIMILARITIES, context.spec.explain.methods[task.column]))
    return {
        "score": scores.numpy(),
        "reason": _reasons(scores, masks, broken, unsigned),
        "reference_similarity": _references(context, task, maps[:, 0], comparisons).numpy()[:, None],
        **{
            name: comparisons.of(in_view.maps, in_view.of_each(others)).reshape(n, p, 1, -1).numpy()
            for name, others in (
                ("target_similarity", _target_image_maps(context, task)),
                ("other_class_similarity", _other_class_maps(context, task)),
            )
        },
    }


class _InView(NamedTuple):
    """Maps under all conditions, moved back into the clean frame, compared on the pixels that were in view."""

    maps: Maps
    """(n * conditions, h, w)"""
    seen: Masks
    conditions: int

    def of_each(self, others: Maps) -> Maps:
        """Return one map for each image as often as there are conditions, by what is in view there."""
        return _level(others.repeat_interleave(self.conditions, 0), self.seen)


class _Comparisons(NamedTuple):
    """The comparisons of two maps by every similarity."""

    undefined: Tensor
    """Which similarities are undefined for the method, because its maps have no sign (similarity)."""

    def of(self, maps: Maps, others: Maps) -> Tensor:
        """Return the similarities (n, similarity), NaN where a map is not finite."""
        finite = (maps + others).isfinite().flatten(1).all(1)
        columns = [METRICS[name](maps, others) for name in SIMILARITIES]
        return torch.stack(columns, 1).float().masked_fill(~finite[:, None] | self.undefined, torch.nan)


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
    compares = torch.tensor([entry.of == "two maps" for entry in MAP_METRICS.values()])
    return own | (own[:, :1] & compares)


def _needs_sign(metrics: Iterable[str], method: str) -> Tensor:
    """Return which metrics are undefined for a method because its maps have no sign."""
    return torch.tensor([METRICS[name].needs_sign and not ATTRIBUTORS[method].signed for name in metrics])


def _reasons(scores: Scores, masks: Tensor | None, broken: Tensor, unsigned: Tensor) -> NDArray[np.uint8]:
    """Return why each score is NaN."""
    needs_mask = torch.tensor([entry.of == "map and mask" for entry in MAP_METRICS.values()])
    reasons = torch.where(broken, Reason.NOT_FINITE, scores.isnan() * Reason.NO_CONTRAST)
    if masks is None:
        reasons[..., needs_mask] = Reason.NO_MASKS
    else:
        reasons[(~masks.flatten(1).any(1))[:, None, None, None] & needs_mask & scores.isnan()] = Reason.EMPTY_MASK
    return reasons.masked_fill(unsigned, Reason.UNSIGNED_METHOD).to(torch.uint8).numpy()


def _references(context: Context, task: Task, clean: Maps, comparisons: _Comparisons) -> Tensor:
    """Return the similarity of the clean maps to those of REFERENCES: (n, reference, similarity)."""
    read = {
        "other_class_attribution": _other_class_maps,
        "attribution": _target_image_maps,
        "input": _edges,
        "repeat_attribution": _repeat_maps,
    }
    others = (read[reference.variable](context, task) for reference in REFERENCES.values())
    return torch.stack([comparisons.of(clean, maps) for maps in others], 1)


def _other_class_maps(context: Context, task: Task) -> Maps:
    stored = context.store.read_output(_attribute_task(task), ["other_class_attribution", "other_class_scale"])
    return _unpack_maps(stored["other_class_attribution"][:, 0], stored["other_class_scale"][:, 0])


def _repeat_maps(context: Context, task: Task) -> Maps:
    """Return the clean maps that a method drew again, NaN for a method that draws nothing."""
    if task.column not in context.plan.stochastic:
        sizes = context.plan.sizes
        return torch.full((len(context.rows(task)), sizes["y"], sizes["x"]), torch.nan)
    stored = context.store.read_output(_attribute_task(task), ["repeat_attribution", "repeat_scale"])
    return _unpack_maps(stored["repeat_attribution"][:, 0], stored["repeat_scale"][:, 0])


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
