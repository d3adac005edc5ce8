"""The answers of the network while the pixels of one image are removed, which several stages ask for."""

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray

from attacks.types import Images
from pipeline.machine import seeds
from pipeline.plan.conditions import CLEAN
from pipeline.stages.context import Context
from pipeline.store.packing import pack, unpack
from srd.entries import Fill
from srd.removal.curves import removal_curve
from srd.removal.fills import FILLS
from srd.removal.orders import removal_orders
from srd.types import Maps, Order

Curves = NDArray[np.float32]
"""(fill, order, step, answer)"""


def curves_of(context: Context, row: int, image: Images, order: Order, fills: Iterable[Fill]) -> Curves:
    """Return the answers while the pixels of one image are removed in an order, and in its reverse."""
    inputs = context.inputs(image)
    return np.stack([
        removal_curve(
            context.model.network,
            inputs,
            context.target([row]),
            order.to(inputs.device),
            FILLS[fill](inputs, context.model.black),
            context.spec.measure.steps,
        ).cpu().numpy()
        for fill in fills
    ])  # fmt: skip


def missing_curves(context: Context, fills: int) -> Curves:
    """Return curves of NaN."""
    sizes = context.plan.sizes
    return np.full((fills, sizes["order"], sizes["step"], sizes["answer"]), np.nan, np.float32)


def order_of(context: Context, row: int, maps: Maps) -> Order:
    """Return the pixels of an image, those of the highest value of its map (1, h, w) first.

    Equal ones come in an order that the image's own stream draws, the same for all maps of the image.
    """
    stream = seeds.generator(context.spec.run.seed, "ties", context.data.ids[row])
    ties = torch.randperm(maps.shape[1:].numel(), generator=stream)
    return removal_orders(maps, ties[None])[0]


def control_order(context: Context, row: int, image: Images, control: str) -> Order:
    """Return the order by the map that the attribute stage stores of a control for the clean image."""
    streams = [seeds.generator(context.spec.run.seed, "attribute", context.data.ids[row], CLEAN, control)]
    explain = context.attributor(control)
    maps = explain(context.model.network, context.inputs(image), context.target([row]), streams)
    return order_of(context, row, torch.from_numpy(unpack(*pack(maps.cpu().numpy()))))
