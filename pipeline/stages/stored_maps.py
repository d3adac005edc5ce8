"""The maps that earlier stages stored, as the tasks of one method read them."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.plan.tasks import Task
from pipeline.stages.context import Context
from pipeline.store.packing import unpack
from srd.registry import ATTRIBUTORS
from srd.types import Maps, Masks


def read_maps(context: Context, task: Task) -> Maps:
    """Return the maps (n, p, h, w) that the attribute task of the same tile and method wrote."""
    stored = context.store.read_output(_attribute_task(task), ["attribution", "scale"])
    return _unpack_maps(stored["attribution"][:, :, 0], stored["scale"][:, :, 0])


def other_class_maps(context: Context, task: Task) -> Maps:
    """Return the maps of another class on the clean images."""
    stored = context.store.read_output(_attribute_task(task), ["other_class_attribution", "other_class_scale"])
    return _unpack_maps(stored["other_class_attribution"][:, 0], stored["other_class_scale"][:, 0])


def repeat_maps(context: Context, task: Task) -> Maps:
    """Return the clean maps that a method drew again, NaN for a method that draws nothing."""
    if task.column not in context.plan.stochastic:
        sizes = context.plan.sizes
        return torch.full((len(context.rows(task)), sizes["y"], sizes["x"]), torch.nan)
    stored = context.store.read_output(_attribute_task(task), ["repeat_attribution", "repeat_scale"])
    return _unpack_maps(stored["repeat_attribution"][:, 0], stored["repeat_scale"][:, 0])


def target_image_maps(context: Context, task: Task) -> Maps:
    """Return the clean maps of the target images, which lie in any tile."""
    rows = context.target_images[context.rows(task)].tolist()
    values, scale = ([_read_clean(context, task, name, row) for row in rows] for name in ("attribution", "scale"))
    return _unpack_maps(np.stack(values), np.stack(scale))


def redrawn_maps(context: Context, task: Task) -> Maps:
    """Return the clean maps by networks with weights drawn again (n, depth, h, w), NaN if an image was not asked about.

    Of the tile at least one was.
    """
    writer = replace(task, stage="randomise")
    stored = context.store.read_output(writer, ["randomised_attribution", "randomised_scale"])
    return _unpack_maps(stored["randomised_attribution"][:, 0], stored["randomised_scale"][:, 0])


def edge_maps(context: Context, task: Task) -> Maps:
    """Return the Sobel magnitude of the clean images."""
    inputs = context.inputs(torch.from_numpy(context.store.read_output(_clean_task(task), ["input"])["input"][:, 0]))
    maps: Maps = ATTRIBUTORS["edges"](context.model.network, inputs, context.target(context.rows(task)))
    return maps.cpu()


def read_masks(context: Context, task: Task) -> tuple[Masks, Masks] | None:
    """Return where the object is on each image, and the pixels to ignore; None if the data has no masks."""
    if not context.plan.has_masks:
        return None
    stored = context.store.read_output(_clean_task(task), ["mask", "ignored"])
    return torch.from_numpy(stored["mask"]), torch.from_numpy(stored["ignored"])


def _unpack_maps(values: NDArray[Any], scale: NDArray[Any]) -> Maps:
    return torch.from_numpy(unpack(values, scale))


def _attribute_task(task: Task) -> Task:
    return replace(task, stage="attribute")


def _clean_task(task: Task) -> Task:
    """Return the task that wrote the clean images of the tile and their masks."""
    return Task("perturb", task.tile, 0)


def _read_clean(context: Context, task: Task, name: str, row: int) -> NDArray[Any]:
    """Return what the same method's attribute task of another image wrote of its clean image."""
    writer = Task("attribute", row // context.plan.tile, task.column)
    clean: NDArray[Any] = context.store.read_image(writer, name, row)[0, 0]
    return clean
