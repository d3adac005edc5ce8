"""Pointwise feature vectors: which axes of a tensor hold their channels, and their inner products."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from srd.errors import UnsupportedOperation

Channels = tuple[int, ...] | None
"""The axes that one vector runs over; None where channels and positions share an axis."""


AT_ONCE = 2**20
"""Elements of a product that is summed right away: more would leave the cache, or be given back to the system."""


def inner(a: Tensor, b: Tensor, channels: tuple[int, ...]) -> Tensor:
    """<a_p, b_p> at every position p, the channel axes kept with size 1; both of one shape."""
    n_rows = max(1, AT_ONCE * len(a) // max(1, a.numel()))
    parts = [_inner(x, y, channels) for x, y in zip(a.split(n_rows), b.split(n_rows), strict=True)]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def along(vectors: Tensor, direction: Tensor, axis: int) -> Tensor:
    """<x_p, direction> at every position p, the channel axis kept with size 1; `direction` is (c,)."""
    if axis == vectors.dim() - 1:
        return torch.matmul(vectors, direction)[..., None]
    products = torch.matmul(direction, vectors.flatten(axis + 1))
    return products.reshape(*vectors.shape[:axis], 1, *vectors.shape[axis + 1 :])


def safe_ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Quotient, 0 where the (non-negative) denominator is 0."""
    positive = denominator > 0
    return torch.where(positive, numerator / torch.where(positive, denominator, 1), 0)


def position_axes(tensor: Tensor, channels: tuple[int, ...]) -> tuple[int, ...]:
    """All axes but the channels and axis 0, which holds the rows of the batch."""
    return tuple(axis for axis in range(1, tensor.dim()) if axis not in channels)


def without(channels: tuple[int, ...], tensor: Tensor) -> Tensor:
    """The tensor without its channel axes, which have size 1: (n, *positions)."""
    return tensor.squeeze(channels)


def on_grid(values: Tensor, height: int, width: int) -> Tensor:
    """Values of positions, (n, *positions), as maps (n, rows, columns), without that of a class token, the first.

    Tokens are taken to lie row by row on a grid of the proportions height : width; raises UnsupportedOperation where
    they cannot.
    """
    if values.dim() == 3:
        return values
    for tokens in (values, values[:, 1:]):
        rows = round((tokens.shape[1] * height / width) ** 0.5)
        if rows and rows * rows * width == tokens.shape[1] * height:
            return tokens.reshape(len(tokens), rows, -1)
    raise UnsupportedOperation(f"{tuple(values.shape[1:])} positions do not lie on a grid of {height} : {width}")


def moved(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], before: Tensor, channels: Channels
) -> Channels:
    """Where `channels` of `before` are after an operation that rearranges its elements; None if that mixes them.

    The operation is run on a tensor without memory that has strides along its channels only: views show where they go,
    and what would have to copy such a tensor merges channels with other axes.
    """
    if channels is None:
        return None
    marker = _marker(before.shape, channels)
    args, kwargs = tree_map(lambda leaf: marker if leaf is before else leaf, (args, kwargs))
    try:
        result = function(*args, **kwargs)
    except RuntimeError:  # a view of axes that do not merge
        return None
    view = result[0] if isinstance(result, (tuple, list)) else result
    if view._base is not marker and view is not marker:
        return None
    return tuple(axis for axis, stride in enumerate(view.stride()) if stride and view.shape[axis] > 1)


def _marker(shape: torch.Size, channels: tuple[int, ...]) -> Tensor:
    strides, step = [0] * len(shape), 1
    for axis in reversed(channels):
        strides[axis], step = step, step * shape[axis]
    return torch.empty_strided(shape, strides, device="meta")


def _inner(a: Tensor, b: Tensor, channels: tuple[int, ...]) -> Tensor:
    if len(channels) == 1:
        products: Tensor = torch.linalg.vecdot(a, b, dim=channels[0])
        return products.unsqueeze(channels[0])
    return (a * b).sum(channels, keepdim=True) if channels else a * b
