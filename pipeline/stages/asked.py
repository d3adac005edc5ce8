"""The arrays of a task that asks the network about some images of its tile; the rest of them is NaN."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from attacks.types import Images
from pipeline.plan.schema import TILE
from pipeline.plan.tasks import Task
from pipeline.stages.context import Context
from pipeline.store.store import Arrays

Measured = Mapping[str, NDArray[np.float32]]
"""What was measured of one image, by the name of the array."""


def ask(context: Context, task: Task, measure: Callable[[int, Images], Measured]) -> Arrays:
    """Return the arrays of a task, from what `measure` finds of each image that its stage asks about.

    Parameters
    ----------
    measure
        Takes the position of an image, and the clean image as it is stored: (1, c, h, w).
    """
    arrays = missing_arrays(context, task)
    for row, image in clean_images(context, task):
        for name, values in measure(row, image).items():
            array = arrays[name][row - context.rows(task).start]
            array[:] = values.reshape(array.shape)
    return arrays


def clean_images(context: Context, task: Task) -> list[tuple[int, Images]]:
    """Return the position of each image that the task asks about, and the clean image as it is stored."""
    stored = context.store.read_output(Task("perturb", task.tile, 0), ["input"])["input"][:, 0]
    start = context.rows(task).start
    return [(row, torch.from_numpy(stored[row - start, None])) for row in context.plan.asked_rows(task)]


def is_asked(context: Context, task: Task) -> Tensor:
    """Return which images of the tile a stage asks about."""
    asked = set(context.plan.asked_rows(task))
    return torch.tensor([row in asked for row in context.rows(task)])


def missing_arrays(context: Context, task: Task) -> dict[str, NDArray[np.floating]]:
    """Return the arrays of a task, all NaN."""
    sizes = {**context.plan.sizes, TILE: len(context.rows(task))}
    return {
        variable.name: np.full(
            [sizes[dim] if dim == TILE or dim in variable.whole else 1 for dim in variable.dims],
            np.nan,
            variable.dtype,
        )
        for variable in context.plan.variables(task)
    }
