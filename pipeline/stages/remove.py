"""The stage that asks the network as pixels are removed in the order of one method's maps."""

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from attacks.types import Images
from pipeline.plan.tasks import Task
from pipeline.spec.measure import DECIDING_FILL
from pipeline.stages.asked import Measured, ask
from pipeline.stages.context import Context
from pipeline.stages.removals import Curves, control_order, curves_of, missing_curves, order_of
from pipeline.stages.stored_maps import read_maps
from pipeline.store.store import Arrays
from srd.entries import Fill
from srd.metrics._maps import has_order
from srd.types import Maps


def remove(context: Context, task: Task) -> Arrays:
    """Ask about clean images by the orders of their maps; about images attacked against the method, by two orders.

    A map that is constant or not finite gives no order: its curves are NaN.
    """
    maps, attacked = read_maps(context, task), _attacked_images(context, task)

    def measure(row: int, image: Images) -> Measured:
        own = maps[row - context.rows(task).start]
        found = {"curve": _curves(context, row, image, own[:1], context.spec.measure.fills)}
        if attacked:
            images = {column: inputs[row - context.rows(task).start, None] for column, inputs in attacked.items()}
            found["attacked_curve"] = _attacked_curves(context, row, image, own, images)
        return found

    return ask(context, task, measure)


def _attacked_images(context: Context, task: Task) -> dict[int, Images]:
    """Return the tile's images under each attack against the method, by its column."""
    method = context.spec.explain.methods[task.column]
    columns = (column for column, condition in enumerate(context.conditions) if condition.against == method)
    written = {column: context.store.read_output(Task("perturb", task.tile, column), ["input"]) for column in columns}
    return {column: torch.from_numpy(arrays["input"][:, 0]) for column, arrays in written.items()}


def _attacked_curves(
    context: Context, row: int, clean: Images, maps: Maps, images: Mapping[int, Images]
) -> NDArray[np.float32]:
    """Return the answers (perturbation, ranking, order, step, answer) to attacked images, NaN elsewhere."""
    by_chance = control_order(context, row, clean, "random")
    curves = {
        column: [
            _curves(context, row, image, maps[column, None], [DECIDING_FILL])[0],
            curves_of(context, row, image, by_chance, [DECIDING_FILL])[0],
        ]
        for column, image in images.items()
    }
    nothing = np.stack([missing_curves(context, 1)[0]] * 2)
    return np.stack([np.stack(curves[column]) if column in curves else nothing for column in range(len(maps))])


def _curves(context: Context, row: int, image: Images, maps: Maps, fills: Iterable[Fill]) -> Curves:
    """Return the answers by the order of one map (1, h, w), NaN if it has none."""
    fills = tuple(fills)
    if not has_order(maps):
        return missing_curves(context, len(fills))
    return curves_of(context, row, image, order_of(context, row, maps), fills)
