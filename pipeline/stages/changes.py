"""The distances by which a condition moved the images: at the input, in the encoder and at the logits."""

from typing import NamedTuple

import torch
from torch import Tensor

from attacks.types import Images
from pipeline.stages.context import Context
from srd.module_output import reading
from srd.types import Inputs, Logits


class Answers(NamedTuple):
    """The inputs of the network for a tile of images, and its answers."""

    inputs: Inputs
    features: Tensor | None
    """The output of the encoder; None if no module's is."""
    logits: Logits


def answers(context: Context, images: Images) -> Answers:
    """Return what the network reads of the images, its encoder's output and its logits, in one pass."""
    module = context.store.attributes.encoder
    with torch.no_grad():
        inputs = context.model.normalise(images)
        if not module:
            return Answers(inputs, None, context.model(images))
        with reading(context.model.network, module) as held:
            logits = context.model(images)
    return Answers(inputs, held[0] if held else None, logits)


def changes(clean: Answers, moved: Answers) -> Tensor:
    """Return the measures of MEASURES (n, measure), in double precision."""
    inputs, logits = _distance(clean.inputs, moved.inputs), _distance(clean.logits, moved.logits)
    columns = [inputs, _relative(inputs, clean.inputs), logits, torch.full_like(inputs, torch.nan)]
    if clean.features is not None and moved.features is not None:
        columns[-1] = _relative(_distance(clean.features, moved.features), clean.features)
    return torch.stack(columns, 1)


def _distance(clean: Tensor, moved: Tensor) -> Tensor:
    return _size(moved.double() - clean.double())


def _relative(distance: Tensor, clean: Tensor) -> Tensor:
    """Return distances by the size of what was moved, NaN where that is 0."""
    size = _size(clean.double())
    return torch.where(size > 0, distance / size, torch.nan)


def _size(values: Tensor) -> Tensor:
    size: Tensor = values.flatten(1).norm(dim=1)
    return size
