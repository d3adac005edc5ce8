"""What the stages compute: region of the store in, region of the store out.

Networks run on the model's device, metrics on the CPU.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attacks.registry import PERTURBATIONS
from pipeline import seeds
from pipeline.conditions import CLEAN
from pipeline.context import SIMILARITIES, Context
from pipeline.perturbing import fit, perturb
from pipeline.plan import Task
from pipeline.schema import REFERENCES, Reason
from pipeline.store import Arrays
from srd.registry import ATTRIBUTORS, METRICS
from srd.types import Attributor, Generators, Maps, Masks, Scores


def attribute(context: Context, task: Task) -> Arrays:
    """One method's maps of the tile's images: each image with all its perturbations is one batch."""
    method = _method(context, task)
    explain = context.attributor(method)
    maps = [_maps(context, method, explain, row) for row in context.rows(task)]
    attribution, scale = _packed(torch.stack([of_target for of_target, _ in maps]))
    other, other_scale = _packed(torch.stack([of_other for _, of_other in maps]))
    return {
        "attribution": attribution[:, :, None],
        "scale": scale[:, :, None],
        "other_class_attribution": other[:, None],
        "other_class_scale": other_scale[:, None],
    }


def score(context: Context, task: Task) -> Arrays:
    """Every metric of one method's stored maps of the tile."""
    rows = context.rows(task)
    maps = _stored_maps(context, rows, task.column)
    n, p = maps.shape[:2]
    flat, seen = (some.flatten(0, 1) for some in _in_clean_frame(context, task, maps))
    clean = maps[:, :1].expand_as(maps).flatten(0, 1)
    masks = _masks(context, rows)
    given = {"two maps": (_levelled(flat, seen), _levelled(clean, seen)), "map": (flat,)}
    if masks is not None:
        given["map and mask"] = (flat, masks[:, None].expand_as(maps).flatten(0, 1))
    columns = [entry(*given[entry.of]) if entry.of in given else flat.new_full((n * p,), torch.nan)
               for entry in METRICS.values()]  # fmt: skip
    broken = _broken(maps)
    scores = torch.stack(columns, 1).float().reshape(n, p, 1, -1).masked_fill(broken, torch.nan)
    return {
        "score": scores.numpy(),
        "reason": _reasons(scores, masks, broken),
        "reference_similarity": _references(context, rows, task.column, maps[:, 0]).numpy()[:, None],
    }


STAGE_FUNCTIONS: Mapping[str, Callable[[Context, Task], Arrays]] = MappingProxyType(
    {"fit": fit, "perturb": perturb, "attribute": attribute, "score": score}
)


def _method(context: Context, task: Task) -> str:
    return context.spec.explain.methods[task.column]


def _maps(context: Context, method: str, explain: Attributor, row: int) -> tuple[Maps, Maps]:
    """Maps of the target on all perturbations of an image (p, h, w), and of the other class on the clean one (h, w)."""
    network, inputs = context.model.network, context.inputs(row)
    target = context.target([row])
    other = target.new_tensor([int(context.store.read("other_class", row))])

    def streams(*keys: str) -> Generators:
        image = context.data.ids[row]
        return [seeds.generator(context.spec.run.seed, "attribute", image, key, method) for key in keys]

    of_target = explain(network, inputs, target.expand(len(inputs)), streams(*(c.id for c in context.conditions)))
    of_other = explain(network, inputs[:1], other, streams("other_class"))
    return of_target.cpu(), of_other[0].cpu()


def _packed(maps: Maps) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
    """Maps as float16 times a power of two, exact but for float16's rounding."""
    largest = maps.abs().amax((-2, -1))
    exponent = torch.where((largest > 0) & largest.isfinite(), torch.frexp(largest).exponent - 1, 0)
    scale = torch.ldexp(torch.ones_like(largest), exponent)
    return (maps / scale[..., None, None]).half().numpy(), scale.float().numpy()


def _unpacked(values: NDArray[Any], scale: NDArray[Any]) -> Maps:
    return torch.from_numpy(values.astype(np.float32) * scale[..., None, None])


def _stored_maps(context: Context, rows: range, column: int) -> Maps:
    region = (slice(rows.start, rows.stop), slice(None), column)
    return _unpacked(context.store.read("attribution", *region), context.store.read("scale", *region))


def _masks(context: Context, rows: range) -> Tensor | None:
    if not context.plan.has_masks:
        return None
    return torch.from_numpy(context.store.read("mask", slice(rows.start, rows.stop)))


def _in_clean_frame(context: Context, task: Task, maps: Maps) -> tuple[Maps, Masks]:
    """All maps moved back from geometric changes, 0 where nothing was in view, and the pixels that were."""
    moved, seen = maps.clone(), torch.ones_like(maps, dtype=torch.bool)
    for column, condition in enumerate(context.conditions):
        if condition.id == CLEAN or not PERTURBATIONS[condition.name].inverse:
            continue
        move_back = PERTURBATIONS[condition.name].load_inverse()
        generators = context.generators("perturb", context.rows(task), condition.id)
        back, seen[:, column] = move_back(maps[:, column], condition.strength, generators)
        moved[:, column] = back.where(seen[:, column], 0)
    return moved, seen


def _levelled(maps: Maps, seen: Masks) -> Maps:
    """The maps, outside of what was in view at their mean over it: the correlation is that of what was in view."""
    total = maps.double().where(seen, 0).sum((1, 2), keepdim=True)
    return maps.where(seen, (total / seen.sum((1, 2), keepdim=True).clamp(min=1)).to(maps))


def _broken(maps: Maps) -> Tensor:
    """Scores of which a map is not finite, their own or the clean one they compare with: (n, p, 1, metric)."""
    own = ~maps.isfinite().flatten(2).all(2)[:, :, None, None]
    compares = torch.tensor([entry.of == "two maps" for entry in METRICS.values()])
    return own | (own[:, :1] & compares)


def _reasons(scores: Scores, masks: Tensor | None, broken: Tensor) -> NDArray[np.uint8]:
    """Why a score is NaN."""
    needs_mask = torch.tensor([entry.of == "map and mask" for entry in METRICS.values()])
    reasons = torch.where(broken, Reason.NOT_FINITE, scores.isnan() * Reason.NO_CONTRAST)
    if masks is None:
        reasons[..., needs_mask] = Reason.NO_MASKS
    else:
        reasons[(~masks.flatten(1).any(1))[:, None, None, None] & needs_mask & scores.isnan()] = Reason.EMPTY_MASK
    return reasons.to(torch.uint8).numpy()


def _references(context: Context, rows: range, column: int, clean: Maps) -> Scores:
    """Similarity of the clean maps to those of REFERENCES: (n, reference, similarity)."""
    region = (slice(rows.start, rows.stop), column)
    read = context.store.read
    others = {
        "other_class": _unpacked(read("other_class_attribution", *region), read("other_class_scale", *region)),
        "other_image": _clean_maps(context, context.target_images[rows.start : rows.stop], column),
        "edges": _edges(context, rows),
    }
    pairs = [[_similarity(name, clean, others[reference]) for name in SIMILARITIES] for reference in REFERENCES]
    return torch.stack([torch.stack(row, 1) for row in pairs], 1).float()


def _similarity(name: str, maps: Maps, others: Maps) -> Scores:
    """NaN where one of the two is not finite."""
    finite = (maps + others).isfinite().flatten(1).all(1)
    return torch.where(finite, METRICS[name](maps, others), torch.nan)


def _clean_maps(context: Context, positions: NDArray[np.int64], column: int) -> Maps:
    values = [context.store.read("attribution", int(row), 0, column) for row in positions]
    scale = [context.store.read("scale", int(row), 0, column) for row in positions]
    return _unpacked(np.stack(values), np.stack(scale))


def _edges(context: Context, rows: range) -> Maps:
    inputs = context.inputs(slice(rows.start, rows.stop), 0)
    maps: Maps = ATTRIBUTORS["edges"](context.model.network, inputs, context.target(rows))
    return maps.cpu()
