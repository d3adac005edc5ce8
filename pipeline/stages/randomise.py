"""The stage that explains clean images again by networks with weights drawn anew, by one method."""

import torch
from torch import nn

from pipeline.machine import seeds
from pipeline.plan.axes import Depth, depths
from pipeline.plan.conditions import CLEAN
from pipeline.plan.tasks import Task
from pipeline.stages.asked import clean_images, missing_arrays
from pipeline.stages.context import Context
from pipeline.store.packing import pack
from pipeline.store.store import Arrays
from srd.redrawn import redraw_network


def randomise(context: Context, task: Task) -> Arrays:
    """Explain each image with the weights of some of the layers drawn again, from the input on.

    A method draws what it drew for the stored map: only the weights differ.
    """
    arrays, images = missing_arrays(context, task), clean_images(context, task)
    method, start = context.spec.explain.methods[task.column], context.rows(task).start
    explain = context.attributor(method)
    for column, depth in enumerate(depths(context.spec.measure).values()):  # memory is that of one copy
        network = redrawn(context, depth)
        for row, image in images:
            streams = [seeds.generator(context.spec.run.seed, "attribute", context.data.ids[row], CLEAN, method)]
            maps = explain(network, context.inputs(image), context.target([row]), streams)
            place = row - start, 0, column
            values, scale = pack(maps.cpu().numpy())
            arrays["randomised_attribution"][place], arrays["randomised_scale"][place] = values[0], scale[0]
    return arrays


def redrawn(context: Context, depth: Depth) -> nn.Module:
    """Return a copy of the network with weights drawn again, the same for all images and methods."""

    def stream(layer: str) -> torch.Generator:
        return seeds.generator(context.spec.run.seed, "randomise", str(depth.draw), layer)

    first = context.inputs(context.data.images(range(1)))
    return redraw_network(context.model.network, first, depth.share, stream)
