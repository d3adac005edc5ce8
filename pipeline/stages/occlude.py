"""The stage that asks the network about clean images of which parts are removed, once for all methods."""

import numpy as np
import torch
from numpy.typing import NDArray

from attacks.types import Images
from pipeline.plan.axes import CONTROLS, WHOLE_FILLS
from pipeline.plan.tasks import Task
from pipeline.stages.asked import Measured, ask
from pipeline.stages.context import Context
from pipeline.stages.removals import control_order, curves_of
from pipeline.stages.subsets import subsets
from pipeline.store.store import Arrays
from srd.entries import Fill
from srd.removal.answers import ROWS, answers
from srd.removal.fills import FILLS, fill
from srd.removal.subsets import masks_of_cells

CELL_FILL: Fill = "mean"
"""What stands in place of removed cells."""


def occlude(context: Context, task: Task) -> Arrays:
    """Ask about each image without subsets of its cells, and as pixels are removed in the orders of the controls."""

    def measure(row: int, image: Images) -> Measured:
        orders = (control_order(context, row, image, control) for control in CONTROLS)
        curves = [curves_of(context, row, image, order, context.spec.measure.fills) for order in orders]
        return {"occluded": _answers_without_subsets(context, row, image), "control_curve": np.stack(curves)}

    return ask(context, task, measure)


def _answers_without_subsets(context: Context, row: int, image: Images) -> NDArray[np.float32]:
    """Return the answers (subset, answer) to the image without each subset, and to what fills it whole."""
    network, target, inputs = context.model.network, context.target([row]), context.inputs(image)
    filled = {name: make(inputs, context.model.black) for name, make in FILLS.items()}
    found = []
    for cells in torch.cat([*subsets(context, row).values()]).split(ROWS):  # memory is that of one batch
        masks = masks_of_cells(cells, *inputs.shape[2:]).to(inputs.device)
        found.append(answers(network, fill(inputs, masks, filled[CELL_FILL]), target))
    found.append(answers(network, torch.cat([filled[name] for name in WHOLE_FILLS]), target))
    return torch.cat(found).cpu().numpy()
