"""Pointwise feature vectors: the axes of a tensor that hold their channels, and their inner products."""

from collections.abc import Callable, Sequence
from math import gcd
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from srd.errors import UnsupportedOperation

Channels = tuple[int, ...] | None
"""The axes that one vector runs over; None where channels and positions share an axis."""


IMAGES_AT_ONCE, POSITIONS_AT_ONCE = 2**18, 2**20
"""Elements of whole images, or of one image, that are multiplied before they are summed.

Larger temporaries leave the cache and add to the peak of memory. Parts of one image are strided, and slow to read.
"""

GROUPS = 8
"""Number of groups of channels that are summed apart, so that each processor sums what it has in its own cache."""


def inner(a: Tensor, b: Tensor, channels: tuple[int, ...]) -> Tensor:
    """Return <a_p, b_p> at every position p, with channel axes of size 1; both tensors have one shape."""
    return by_parts(lambda x, y: sum_channels(x * y, channels), channels, a, b)


def sum_channels(products: Tensor, channels: tuple[int, ...]) -> Tensor:
    """Return the sum over channels at every position, with channel axes of size 1."""
    if not channels:
        return products
    axis, *others = channels
    groups = gcd(products.shape[axis], GROUPS)
    if others or groups == 1 or axis == products.dim() - 1:
        return products.sum(channels, keepdim=True)
    sums: Tensor = products.unflatten(axis, (groups, -1)).sum(axis + 1)
    return sums.sum(axis, keepdim=True)


def by_parts(function: Callable[..., Tensor], channels: tuple[int, ...], *tensors: Tensor) -> Tensor:
    """Apply a function that reads each position by itself to a few images or positions at a time."""
    axes = [axis for axis in range(tensors[0].dim()) if axis not in channels]
    return _by_parts(function, axes, tensors, IMAGES_AT_ONCE)


def along(vectors: Tensor, direction: Tensor, axis: int) -> Tensor:
    """Return <x_p, direction> at every position p, with a channel axis of size 1; `direction` is (c,)."""
    if axis == vectors.dim() - 1:
        return torch.matmul(vectors, direction)[..., None]
    products = torch.matmul(direction, vectors.flatten(axis + 1))
    return products.reshape(*vectors.shape[:axis], 1, *vectors.shape[axis + 1 :])


def safe_ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Return the quotient, and 0 where the denominator is not positive."""
    return numerator / denominator.masked_fill(denominator <= 0, torch.inf)


def position_axes(tensor: Tensor, channels: tuple[int, ...]) -> tuple[int, ...]:
    """Return all axes but the channels and axis 0, which holds the rows of the batch."""
    return tuple(axis for axis in range(1, tensor.dim()) if axis not in channels)


def by_mean_gradient(vectors: Tensor, gradient: Tensor, channels: tuple[int, ...]) -> Tensor:
    """Return <x_p, mean gradient over positions>, with channel axes of size 1: Grad-CAM without its ReLU.

    References
    ----------
    Selvaraju et al. 2017.
    """
    weights = gradient.mean(position_axes(gradient, channels), keepdim=True)
    return inner(vectors, weights.expand_as(vectors), channels)


def on_grid(values: Tensor, height: int, width: int, *, n_prefix: int | None = None) -> Tensor:
    """Return values of positions, (n, *positions), as maps (n, rows, columns), without those of prefix tokens.

    Prefix tokens, such as a class token, are the first ones. If their number is not known there are none, or one if the
    others could not lie on the grid. The others lie row by row on a grid of the proportions height : width.

    Raises
    ------
    UnsupportedOperation
        The tokens cannot lie on such a grid.
    """
    if values.dim() == 3:
        return values
    for tokens in (values, values[:, 1:]) if n_prefix is None else (values[:, n_prefix:],):
        rows = round((tokens.shape[1] * height / width) ** 0.5)
        if rows and rows * rows * width == tokens.shape[1] * height:
            return tokens.reshape(len(tokens), rows, -1)
    raise UnsupportedOperation(f"{tuple(values.shape[1:])} positions do not lie on a grid of {height} : {width}")


def channels_after(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], before: Tensor, channels: Channels
) -> Channels:
    """Return the axes of `channels` after an operation that rearranges the elements of `before`; None if it mixes them.

    The operation runs on a tensor without memory that has strides along its channels only. Views show where the
    channels go. An operation that would have to copy such a tensor merges channels with other axes.
    """
    if channels is None:
        return None
    marker = _marker(before.shape, channels)
    args, kwargs = tree_map(lambda leaf: marker if leaf is before else leaf, (args, kwargs))
    try:
        result = function(*args, **kwargs)
    except RuntimeError:  # the view would have to merge axes that do not merge
        return None
    view = result[0] if isinstance(result, (tuple, list)) else result
    if view._base is not marker and view is not marker:
        return None
    return tuple(axis for axis, stride in enumerate(view.stride()) if stride and view.shape[axis] > 1)


def channels_after_repeat(before: Tensor, after: Tensor) -> Channels:
    """Return the axis on which a lone channel has become several, as for a grey image repeated for three colours."""
    if before.dim() != after.dim():
        return ()
    axes = tuple(axis for axis, (old, new) in enumerate(zip(before.shape, after.shape, strict=True)) if old == 1 != new)
    return axes if len(axes) < 2 else None


def _marker(shape: torch.Size, channels: tuple[int, ...]) -> Tensor:
    strides, step = [0] * len(shape), 1
    for axis in reversed(channels):
        strides[axis], step = step, step * shape[axis]
    return torch.empty_strided(shape, strides, device="meta")


def _by_parts(function: Callable[..., Tensor], axes: Sequence[int], tensors: Sequence[Tensor], at_once: int) -> Tensor:
    first = tensors[0]
    if first.numel() <= at_once or not axes:
        return function(*tensors)
    axis, *others = axes
    size = max(1, at_once * first.shape[axis] // first.numel())
    parts = zip(*(tensor.split(size, axis) for tensor in tensors), strict=True)
    return torch.cat([_by_parts(function, others, part, POSITIONS_AT_ONCE) for part in parts], axis)
