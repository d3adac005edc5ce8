"""The answers of a network while the pixels of one image are removed step by step."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from srd.removal.answers import answers
from srd.removal.fills import fill
from srd.removal.orders import fractions_of, removal_masks
from srd.types import Inputs, Order, Target

ORDERS = ("most", "least")
"""Which pixels are removed first: the highest or the lowest of the map."""
RemovalCurve = Float[Tensor, "orders steps 3"]


def removal_curve(
    network: nn.Module, inputs: Inputs, target: Target, order: Order, filled: Inputs, steps: int
) -> RemovalCurve:
    """Return the answers (ORDERS, steps + 1, ANSWERS) for one image, from nothing removed to all.

    Parameters
    ----------
    inputs, target
        One row.
    order
        The pixels, the highest of the map first.
    filled
        One row: what stands in the place of removed pixels.
    steps
        Equal shares in which the pixels are removed. Both ends are asked once for both orders.
    """
    size = inputs.shape[2], inputs.shape[3]
    between = fractions_of(steps)[1:-1]
    removed = torch.cat([removal_masks(each, between, size) for each in (order, order.flip(0))])
    found = answers(network, torch.cat([inputs, fill(inputs, removed, filled), filled]), target)
    middle = found[1:-1].reshape(len(ORDERS), steps - 1, found.shape[1])
    return torch.stack([torch.cat([found[:1], part, found[-1:]]) for part in middle])
