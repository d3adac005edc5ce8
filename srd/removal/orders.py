"""The order in which pixels are removed, by the map that ranks them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int64
from numpy.typing import NDArray
from torch import Tensor

from srd.types import Maps, Order

Orders = Int64[Tensor, "n pixels"]


def removal_orders(maps: Maps, tie_breakers: Orders) -> Orders:
    """Return the pixels of each map, numbered along its rows, the highest first; NaN counts as lowest.

    Equal pixels come in the order that they have in their image's row of `tie_breakers`, a permutation of the pixels.
    In the order of their numbers, a map that is 0 at most pixels would remove the picture from the top left. The order
    that removes the lowest pixels first is this one from its end.
    """
    shuffled: NDArray[Any] = maps.flatten(1).gather(1, tie_breakers.to(maps.device)).detach().cpu().numpy()
    places = torch.from_numpy(np.argsort(-shuffled, axis=1, kind="stable"))
    return tie_breakers.gather(1, places.to(tie_breakers.device))


def fractions_of(steps: int) -> tuple[float, ...]:
    """Return the share of the pixels that is removed in each step, from 0 to 1: steps + 1 of them."""
    return tuple(step / steps for step in range(steps + 1))


def removal_masks(order: Order, fractions: Sequence[float], size: tuple[int, int]) -> Bool[Tensor, "steps h w"]:
    """Return which pixels are removed in each step: the first `round(fraction * pixels)` of the order."""
    pixels = torch.arange(len(order), device=order.device)
    place = torch.empty_like(order).scatter(0, order, pixels)
    removed = torch.tensor([round(fraction * len(order)) for fraction in fractions], device=order.device)
    masks: Tensor = (place < removed[:, None]).unflatten(1, size)
    return masks
