"""||W_t x_i||^2 for taps t of a convolution, at all positions i of its inputs.

Shapes: inputs (n, groups * c, h, w), weight (k, c, height, width), results (n, taps, h, w). Taps are numbered along the
rows of the kernel. The norm is taken over the outputs of all groups.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from srd.weight_cache import get_or_prepare

GRAM_LIMIT = 8
"""Number of channels per group up to which a quadratic form is cheapest."""

BLOCKS, ROWS = 8, 16
"""Number of blocks of a triangular factor, and their least number of rows.

Many or small blocks are slow to multiply; few blocks hold more zeros.
"""

NUMBERS = {"cpu": 2**19, "cuda": 2**24}
"""Numbers that are written before they are summed: as many as fit the cache of a processor, or keep a GPU busy."""


class Squares(Protocol):
    """||W_t x_i||^2 of one convolution, whose taps have an order of their own."""

    def __call__(self, inputs: Tensor, part: slice) -> Tensor:
        """Return the squares of a part of the taps."""
        ...


def squares(
    weight: Tensor, scale: Tensor | None, groups: int, order: Sequence[int], dtype: torch.dtype | None = None
) -> Squares:
    """Return the function that computes the squares of W_t times `scale` of the outputs, with the taps in this `order`.

    It is differentiable while gradients are on.

    Parameters
    ----------
    dtype
        The type of the largest products, by default the type of the weight.
    """
    few = weight.shape[1] <= GRAM_LIMIT

    def prepare() -> Squares:
        taps = _by_tap(weight, scale, groups, order)
        return Quadratic.of(taps) if few else Triangular.of(taps, dtype or weight.dtype)

    if not torch.is_grad_enabled():
        return get_or_prepare(weight, scale, (groups, *order, dtype), prepare)
    return prepare() if few else Definition(_by_tap(weight, scale, groups, order))


def _by_tap(weight: Tensor, scale: Tensor | None, groups: int, order: Sequence[int]) -> Tensor:
    """Return the weights of each tap: (groups, taps, k / groups, c)."""
    scaled = weight if scale is None else weight * scale[:, None, None, None]
    return scaled.reshape(groups, -1, *weight.shape[1:]).flatten(3)[..., order].permute(0, 3, 1, 2)


@dataclass(frozen=True)
class Definition:
    """The squares as their definition says."""

    taps: Tensor
    """(groups, taps, k / groups, c)."""

    def __call__(self, inputs: Tensor, part: slice) -> Tensor:
        kernels = self.taps[:, part].transpose(0, 1).flatten(1, 2)[..., None, None]
        groups = len(self.taps)
        return torch.stack([functional.conv2d(inputs, k, groups=groups).square().sum(1) for k in kernels], 1)


@dataclass(frozen=True)
class Quadratic:
    """The sum over a <= b of (W_t^T W_t)_ab x_a x_b, where the terms off the diagonal count twice."""

    coefficients: Tensor
    """(taps, groups, pairs)."""
    channels: int

    @classmethod
    def of(cls, taps: Tensor) -> "Quadratic":
        grams = taps.mT @ taps
        a, b = torch.triu_indices(*grams.shape[2:], device=taps.device)
        return cls((grams[..., a, b] * torch.where(a == b, 1, 2)).transpose(0, 1), taps.shape[3])

    def __call__(self, inputs: Tensor, part: slice) -> Tensor:
        kernels = self.coefficients[part].flatten(1)[..., None, None]
        n = NUMBERS[inputs.device.type] // (kernels.shape[1] * inputs.shape[2:].numel() + 1)
        parts = [functional.conv2d(self._products(images), kernels) for images in inputs.split(max(1, n))]
        return torch.cat(parts).clamp(min=0)

    def _products(self, images: Tensor) -> Tensor:
        if self.channels == 1:
            return images.contiguous().square()  # strided images are squared slowly
        x = images.unflatten(1, (-1, self.channels))
        return torch.cat([x[:, :, i : i + 1] * x[:, :, i:] for i in range(self.channels)], 2).flatten(1, 2)


@dataclass(frozen=True)
class Triangular:
    """||R_t x_i||^2 with the triangular factors of W_t = Q_t R_t, Q_t orthonormal, without a gradient."""

    blocks: tuple[Tensor, ...]
    """A few rows, from i on, of every R_t without its first i columns, which are 0: (groups, taps, rows, columns)."""

    @classmethod
    def of(cls, taps: Tensor, dtype: torch.dtype) -> "Triangular":
        exact = taps.to(torch.promote_types(taps.dtype, torch.float32))  # torch factorises nothing in 16 bits
        whole = torch.linalg.qr(exact, mode="r").R
        rows = min(max(ROWS, whole.shape[2] // BLOCKS), whole.shape[2])
        whole = functional.pad(whole, (0, 0, 0, -whole.shape[2] % rows))
        return cls(tuple(whole[:, :, i : i + rows, i:].to(dtype).contiguous() for i in range(0, whole.shape[2], rows)))

    def __call__(self, inputs: Tensor, part: slice) -> Tensor:
        blocks = [block[:, part].flatten(1, 2) for block in self.blocks]
        groups, rows, _ = blocks[0].shape
        size = inputs.shape[2:]
        width = max(196, NUMBERS.get(inputs.device.type, NUMBERS["cuda"]) // (groups * rows))
        workspace = inputs.new_empty(0)
        maps = []
        for images in inputs.split(max(1, width // max(1, size.numel()))):
            columns = images.to(blocks[0].dtype).unflatten(1, (groups, -1)).permute(1, 2, 0, 3, 4).flatten(2)
            sums = [self._sum_squares(blocks, x, workspace) for x in columns.split(width, 2)]
            maps.append(torch.cat(sums, 1).unflatten(1, (-1, *size)).transpose(0, 1))
        return torch.cat(maps)

    def _sum_squares(self, blocks: Sequence[Tensor], x: Tensor, workspace: Tensor) -> Tensor:
        """Sum the squares, (groups, c, columns) to (taps, columns).

        The columns of a lone group are divided into one part for each processor.
        """
        n = torch.get_num_threads() if x.device.type == "cpu" else 1
        parts = x if len(x) > 1 or x.shape[2] % n else x[0].unflatten(1, (n, -1)).transpose(0, 1)
        squares = _squares(blocks, parts, workspace)
        sums: Tensor = squares.unflatten(1, (-1, self.blocks[0].shape[2])).sum(2)
        return sums.sum(0) if len(x) > 1 else sums.transpose(0, 1).flatten(1)


def _squares(blocks: Sequence[Tensor], x: Tensor, workspace: Tensor) -> Tensor:
    """Return the squares, (n, c, columns) to (n, taps * rows, columns).

    Each part stays with the processor that has it in its cache.
    """
    first, *others = (block.expand(len(x), -1, -1) for block in blocks)
    if x.dtype != workspace.dtype:
        total = torch.bmm(first, x).to(workspace.dtype).square_()
        for block in others:
            total += torch.bmm(block, x[:, -block.shape[2] :]).to(workspace.dtype).square_()
        return total
    total, product = workspace.resize_(2, len(x), blocks[0].shape[1], x.shape[2]).unbind()
    torch.bmm(first, x, out=total).square_()
    for block in others:
        torch.bmm(block, x[:, -block.shape[2] :], out=product)
        total.addcmul_(product, product)
    return total
