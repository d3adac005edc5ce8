"""What the three stages compute: region of the store in, region of the store out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attacks.registry import PERTURBATIONS
from attacks.types import Images, Model, Perturbation, Samples
from pipeline import seeds
from pipeline.conditions import CLEAN, Condition
from pipeline.data import Data
from pipeline.plan import Plan, Task
from pipeline.schema import REFERENCES, Reason
from pipeline.spec import AuditSpec
from pipeline.store import Arrays, Store
from srd.registry import ATTRIBUTORS, METRICS
from srd.types import Attributor, Generators, Inputs, Maps, Scores

BACKGROUND = 32  # images, from which Expected Gradients start
SIMILARITIES = tuple(name for name, entry in METRICS.items() if entry.of == "two maps")


@dataclass(frozen=True)
class Context:
    """Everything that tasks of one audit share within a process."""

    spec: AuditSpec
    conditions: tuple[Condition, ...]
    plan: Plan
    store: Store
    data: Data
    model: Model

    @cached_property
    def targets(self) -> NDArray[np.int64]:
        return self.store.read("target")

    @cached_property
    def target_images(self) -> NDArray[np.int64]:
        return self.store.read("target_image")

    def attributor(self, name: str) -> Attributor:
        return attributor(self.spec, self.model, self.data, name)

    def generators(self, task: Task, *key: str) -> Generators:
        """A stream for each image of the task's tile."""
        return [seeds.generator(self.spec.run.seed, task.stage, self.data.ids[row], *key) for row in self.rows(task)]

    def rows(self, task: Task) -> range:
        return self.plan.rows(task)


def attributor(spec: AuditSpec, model: Model, data: Data, name: str) -> Attributor:
    """The method with the spec's options and what it needs to know of model and data."""
    return partial(ATTRIBUTORS[name].load(), **_arguments(spec, model, data, name))


def own_attributor(spec: AuditSpec, model: Model, data: Data, name: str) -> Attributor:
    """The same with maps of the method's own resolution."""
    return partial(ATTRIBUTORS[name].own(), **_arguments(spec, model, data, name))


def _arguments(spec: AuditSpec, model: Model, data: Data, name: str) -> dict[str, Any]:
    needed = {fact: _FACTS[fact](spec, model, data) for fact in sorted(ATTRIBUTORS[name].needs)}
    return needed | spec.explain.options.get(name, {})


def _background(spec: AuditSpec, model: Model, data: Data) -> Inputs:
    """Some of the data's images, drawn by a stream of their own."""
    order = torch.randperm(len(data.ids), generator=seeds.generator(spec.run.seed, "background"))
    return model.normalise(data.images(order[:BACKGROUND].tolist()))


_FACTS: Mapping[str, Callable[[AuditSpec, Model, Data], Any]] = MappingProxyType(
    {
        "encoder": lambda spec, model, data: spec.model.encoder,
        "operations": lambda spec, model, data: spec.model.operations,
        "baseline": lambda spec, model, data: model.black,
        "background": _background,
    }
)


def perturb(context: Context, task: Task) -> Arrays:
    """The tile's images under one entry of the perturbation axis, and the network's logits there."""
    rows = context.rows(task)
    condition = context.conditions[task.column]
    images = context.data.images(rows)
    if condition.id != CLEAN:
        images = _perturbed(context, task, condition, images)
    with torch.no_grad():
        logits = context.model(images)
    arrays = {"input": images.numpy()[:, None], "prediction": logits.numpy()[:, None]}
    return arrays | ({"mask": context.data.masks(rows).numpy()} if context.plan.writes_mask(task) else {})


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
    flat, clean = (some.flatten(0, 1) for some in _in_clean_frame(context, task, maps))
    masks = _masks(context, rows)
    given = {"two maps": (flat, clean), "map": (flat,)}
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
    {"perturb": perturb, "attribute": attribute, "score": score}
)


def _method(context: Context, task: Task) -> str:
    return context.spec.explain.methods[task.column]


def _perturbed(context: Context, task: Task, condition: Condition, images: Images) -> Images:
    options: dict[str, Any] = dict(condition.options)
    if condition.against:
        options["attributor"] = context.attributor(condition.against)
    samples = _samples(context, task, images)
    perturbation: Perturbation = partial(PERTURBATIONS[condition.name].load(), **options)
    return perturbation(context.model, samples, condition.strength, context.generators(task, condition.id))


def _samples(context: Context, task: Task, images: Images) -> Samples:
    rows = context.rows(task)
    others = context.target_images[rows.start : rows.stop]
    return Samples(
        images=images,
        label=torch.tensor([context.data.labels[row] for row in rows]),
        target=torch.from_numpy(context.targets[rows.start : rows.stop]),
        target_images=context.data.images(others.tolist()),
        target_images_target=torch.from_numpy(context.targets[others]),
    )


def _maps(context: Context, method: str, explain: Attributor, row: int) -> tuple[Maps, Maps]:
    """Maps of the target on all perturbations of an image (p, h, w), and of the other class on the clean one (h, w)."""
    network = context.model.network
    inputs = context.model.normalise(torch.from_numpy(context.store.read("input", row)))
    target = torch.tensor([context.targets[row]])
    other = torch.tensor([int(context.store.read("other_class", row))])

    def streams(*keys: str) -> Generators:
        image = context.data.ids[row]
        return [seeds.generator(context.spec.run.seed, "attribute", image, key, method) for key in keys]

    of_target = explain(network, inputs, target.expand(len(inputs)), streams(*(c.id for c in context.conditions)))
    of_other = explain(network, inputs[:1], other, streams("other_class"))
    return of_target, of_other[0]


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


def _in_clean_frame(context: Context, task: Task, maps: Maps) -> tuple[Maps, Maps]:
    """All maps moved back from geometric changes, and the clean maps beside them; both 0 where nothing was in view."""
    moved, clean = maps.clone(), maps[:, :1].expand_as(maps).clone()
    for column, condition in enumerate(context.conditions):
        if condition.id == CLEAN or not PERTURBATIONS[condition.name].inverse:
            continue
        move_back = PERTURBATIONS[condition.name].load_inverse()
        generators = context.generators(Task("perturb", task.tile, column), condition.id)
        back, seen = move_back(maps[:, column], condition.strength, generators)
        moved[:, column] = back.where(seen, 0)
        clean[:, column] = clean[:, column].where(seen, 0)
    return moved, clean


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
    inputs = context.model.normalise(torch.from_numpy(context.store.read("input", slice(rows.start, rows.stop), 0)))
    maps: Maps = ATTRIBUTORS["edges"](context.model.network, inputs, torch.zeros(len(inputs), dtype=torch.int64))
    return maps
