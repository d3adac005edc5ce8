"""The stage that computes every method's maps of every image under every condition."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from attacks.types import Images
from pipeline.machine import seeds
from pipeline.plan.stages import VARIABLES
from pipeline.plan.tasks import Task
from pipeline.stages.batches import parts
from pipeline.stages.context import Context
from pipeline.store.packing import pack
from pipeline.store.store import Arrays
from srd.registry import ATTRIBUTORS
from srd.types import Attributor, Generators


def attribute(context: Context, task: Task) -> Arrays:
    """Explain the tile's images by one method; an image with its conditions is one batch, or several."""
    method = context.spec.explain.methods[task.column]
    explain = context.attributor(method)
    images = zip(context.rows(task), _read_inputs(context, task), strict=True)
    return _arrays([_maps(context, method, explain, row, torch.from_numpy(seen)) for row, seen in images])


def explain_first(context: Context, task: Task) -> Arrays:
    """Return arrays of a task as `attribute` does, with the maps of the tile's first image for every image."""
    method, rows = context.spec.explain.methods[task.column], context.rows(task)
    first = torch.from_numpy(_read_inputs(context, task)[0])
    return _arrays([_maps(context, method, context.attributor(method), rows[0], first)] * len(rows))


def _arrays(maps: Sequence["_MapsOfImage"]) -> Arrays:
    attribution, scale = pack(np.stack([each.target for each in maps]))
    other, other_scale = pack(np.stack([each.other_class for each in maps]))
    arrays: dict[str, NDArray[Any]] = {
        "attribution": attribution[:, :, None],
        "scale": scale[:, :, None],
        "other_class_attribution": other[:, None],
        "other_class_scale": other_scale[:, None],
    }
    repeats = [each.repeat for each in maps if each.repeat is not None]
    if repeats:
        repeat, repeat_scale = pack(np.stack(repeats))
        arrays |= {"repeat_attribution": repeat[:, None], "repeat_scale": repeat_scale[:, None]}
    return arrays


def _read_inputs(context: Context, task: Task) -> NDArray[np.float32]:
    """Return all that the tile's perturb tasks wrote (n, p, c, h, w).

    It is read one column at a time, so that memory holds it only once.
    """
    variable = VARIABLES["input"]
    sizes = {**context.plan.sizes, "image": len(context.rows(task))}
    inputs = np.empty([sizes[dim] for dim in variable.dims], variable.dtype)
    for writer in context.plan.of_tile("perturb", task.tile):
        inputs[:, writer.column] = context.store.read_output(writer, ["input"])["input"][:, 0]
    return inputs


class _MapsOfImage(NamedTuple):
    """The maps of one image by one method."""

    target: NDArray[np.float32]
    """Of the target, under all conditions (p, h, w)."""
    other_class: NDArray[np.float32]
    """Of the other class, on the clean image (h, w)."""
    repeat: NDArray[np.float32] | None
    """Of the target, on the clean image, drawn again (h, w); None for a method that draws nothing."""


def _maps(context: Context, method: str, explain: Attributor, row: int, images: Images) -> _MapsOfImage:
    network = context.model.network
    inputs = context.inputs(images)
    target = context.target([row])
    other = target.new_tensor([int(context.other_classes[row])])

    def streams(*keys: str) -> Generators:
        image = context.data.ids[row]
        return [seeds.generator(context.spec.run.seed, "attribute", image, key, method) for key in keys]

    by_condition = streams(*(condition.id for condition in context.conditions))
    of_target = [
        explain(network, inputs[part], target.expand(len(inputs[part])), by_condition[part]).cpu()
        for part in parts(len(inputs), context.rows_at_once)
    ]
    of_other = explain(network, inputs[:1], other, streams("other_class"))[0].cpu().numpy()
    draws = ATTRIBUTORS[method].stochastic
    repeat = explain(network, inputs[:1], target, streams("repeat"))[0].cpu().numpy() if draws else None
    return _MapsOfImage(torch.cat(of_target).numpy(), of_other, repeat)
