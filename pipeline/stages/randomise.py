"""The stage that explains clean images again by networks with weights drawn anew, by one method."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from attacks.types import Images
from pipeline.machine import seeds
from pipeline.plan.axes import Depth, depths
from pipeline.plan.conditions import CLEAN
from pipeline.plan.tasks import Task
from pipeline.stages.asked import clean_images, is_asked, missing_arrays
from pipeline.stages.context import Context
from pipeline.store.packing import pack
from pipeline.store.store import Arrays
from srd.redrawn import redraw_network
from srd.types import Attributor, Maps


def randomise(context: Context, task: Task) -> Arrays:
    """Explain each image with the weights of some of the layers drawn again, from the input on.

    A method draws what it drew for the stored map: only the weights differ.
    """
    arrays, images = missing_arrays(context, task), clean_images(context, task)
    explain, start = context.attributor(_method(context, task)), context.rows(task).start
    for column, depth in enumerate(depths(context.spec.measure).values()):  # memory is that of one copy
        network = redraw(context, depth)
        for row, image in images:
            place = row - start, 0, column
            values, scale = pack(_map(context, task, explain, network, row, image))
            arrays["randomised_attribution"][place], arrays["randomised_scale"][place] = values, scale
    return arrays


def explain_first(context: Context, task: Task, network: nn.Module) -> Arrays:
    """Return arrays of a task as `randomise` does, with the map of the first image by one network everywhere."""
    arrays = missing_arrays(context, task)
    row, image = clean_images(context, task)[0]
    values, scale = pack(_map(context, task, context.attributor(_method(context, task)), network, row, image))
    asked = is_asked(context, task).numpy()
    arrays["randomised_attribution"][asked], arrays["randomised_scale"][asked] = values, scale
    return arrays


def _map(
    context: Context, task: Task, explain: Attributor, network: nn.Module, row: int, image: Images
) -> NDArray[np.float32]:
    """Return the map (h, w) of one clean image by one network."""
    stream = seeds.generator(context.spec.run.seed, "attribute", context.data.ids[row], CLEAN, _method(context, task))
    maps: Maps = explain(network, context.inputs(image), context.target([row]), [stream])
    return maps[0].cpu().numpy()


def _method(context: Context, task: Task) -> str:
    return context.spec.explain.methods[task.column]


def redraw(context: Context, depth: Depth) -> nn.Module:
    """Return a copy of the network with weights drawn again, the same for all images and methods."""

    def stream(layer: str) -> torch.Generator:
        return seeds.generator(context.spec.run.seed, "randomise", str(depth.draw), layer)

    first = context.inputs(context.data.images(range(1)))
    return redraw_network(context.model.network, first, depth.share, stream)
