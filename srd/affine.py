"""Convolutions as affine maps between pointwise feature vectors: their taps, norms and biases."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional

from srd.convolutions import Pair, Unread, geometry_of, pull_back
from srd.taps import squares


@dataclass(frozen=True)
class Affine:
    """A convolution (n, c, h, w) -> (n, k, h', w'), followed by a `scale` and a bias per output channel."""

    weight: Tensor
    bias: Tensor | None
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    scale: Tensor | None = None

    @property
    def parameters(self) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Return weight, bias and scale."""
        return self.weight, self.bias, self.scale

    @property
    def n_taps(self) -> int:
        """Return the number of kernel positions."""
        return self.weight.shape[2] * self.weight.shape[3]

    @property
    def has_lone_tap(self) -> bool:
        """Return whether every output position reads one input position, and never the padding."""
        return self.n_taps == 1 and self.padding == (0, 0)

    @property
    def is_pointwise(self) -> bool:
        """Return whether output position j reads exactly input position j."""
        return self.has_lone_tap and self.stride == (1, 1)

    def followed_by(self, scale: Tensor, shift: Tensor) -> "Affine":
        """Return this map followed by `y * scale + shift` per output channel."""
        bias = shift if self.bias is None else self.bias * scale + shift
        return replace(self, bias=bias, scale=scale if self.scale is None else self.scale * scale)

    def apply_transpose(self, signal: Tensor, inputs: Unread) -> Tensor:
        """Return W^T `signal`, in the type of the signal and the shape of the `inputs`."""
        weight = self.weight
        if self.scale is not None and weight.numel() < signal.numel():
            weight = weight * self.scale[:, None, None, None]
        elif self.scale is not None:
            signal = signal * self.scale[:, None, None].to(signal.dtype)
        geometry = geometry_of(self.stride, self.padding, self.dilation, self.groups)
        return pull_back(signal, weight.to(signal.dtype), geometry, inputs)

    def tap_norms(self, inputs: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Return ||W_t x_i|| for each tap t, at every output position: (n, taps, h', w').

        x_i is the input position that the tap joins to the output position. The norm is 0 where a tap reads the
        padding. A convolution with one tap needs no norm: the value is 1 or 0.

        Parameters
        ----------
        inputs
            The inputs of the convolution.
        dtype
            The type in which the products are computed.
        """
        if self.n_taps == 1:
            return self.tap_presence(inputs)
        size, phases = self._output_size(inputs), self._offsets()
        order = [tap for offsets in phases.values() for tap in offsets]
        evaluate = squares(self.weight, self.scale, self.groups, order, dtype)
        norms: dict[int, Tensor] = {}
        for phase, offsets in phases.items():
            read = inputs[:, :, phase[0] :: self.stride[0], phase[1] :: self.stride[1]]
            part = slice(len(norms), len(norms) + len(offsets))
            maps = (
                safe_sqrt(evaluate(read, part))
                if read.numel()
                else read.new_zeros(len(read), len(offsets), *read.shape[2:])
            )
            norms |= dict(zip(offsets, _shift(maps, list(offsets.values()), size), strict=True))
        return torch.stack([norms[tap] for tap in range(self.n_taps)], 1)

    def tap_presence(self, inputs: Tensor) -> Tensor:
        """Return 1 for every tap whose input x_i is not zero, else 0: (n, taps, h', w')."""
        present = inputs.detach().ne(0).any(1, keepdim=True).to(inputs.dtype)
        read = functional.unfold(present, self._kernel, self.dilation, self.padding, self.stride)
        return read.reshape(len(read), self.n_taps, *self._output_size(inputs))

    def scatter(self, shares: Tensor, size: torch.Size) -> Tensor:
        """Return, for each input position, the sum over the taps that read it: (n, taps, h', w') -> (n, 1, h, w)."""
        if self.is_pointwise:
            return shares
        summed: Tensor = functional.fold(
            shares.flatten(2), size, self._kernel, self.dilation, self.padding, self.stride
        )
        return summed

    @property
    def _kernel(self) -> torch.Size:
        return self.weight.shape[2:]

    def _output_size(self, inputs: Tensor) -> torch.Size:
        sides = zip(inputs.shape[2:], self._kernel, self.stride, self.padding, self.dilation, strict=True)
        return torch.Size((side + 2 * p - d * (k - 1) - 1) // s + 1 for side, k, s, p, d in sides)

    def _offsets(self) -> dict[Pair, dict[int, Pair]]:
        """Return the taps and their offsets by phase.

        Output position j reads input position (j + offset) * stride + phase.
        """
        offsets: dict[Pair, dict[int, Pair]] = defaultdict(dict)
        for tap, place in enumerate(product(*map(range, self._kernel))):
            sides = zip(place, self.dilation, self.padding, self.stride, strict=True)
            (row, row_phase), (column, column_phase) = (divmod(k * d - p, s) for k, d, p, s in sides)
            offsets[row_phase, column_phase][tap] = row, column
        return offsets


def convolution(
    inputs: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: int | Pair,
    padding: int | str | Pair,
    dilation: int | Pair,
    groups: int,
) -> tuple[Tensor, Affine]:
    """Return a call of torch's conv2d as an affine map, with the inputs to which it is applied.

    The inputs are padded if `padding` is "same".
    """
    stride, dilation = pair(stride), pair(dilation)
    if padding == "same":
        inputs, padding = _padded_to_same(inputs, weight, dilation), 0
    numbers = (0, 0) if isinstance(padding, str) else pair(padding)
    return inputs, Affine(weight, bias, stride, numbers, dilation, groups)


def transposed_convolution(
    inputs: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: int | Pair,
    padding: int | Pair,
    output_padding: int | Pair,
    groups: int,
    dilation: int | Pair,
) -> tuple[Tensor, Affine]:
    """Return a call of torch's conv_transpose2d as an affine map, with the inputs to which it is applied.

    It is the convolution, by the kernel turned around, of inputs that have zeros between and around them. A zero vector
    supplies nothing, so every output has the taps that it has in the transposed convolution.
    """
    dilation = pair(dilation)
    turned = weight.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1).flip(2, 3)
    spread = _spread(inputs, pair(stride))
    sides = list(zip(dilation, weight.shape[2:], pair(padding), pair(output_padding), strict=True))
    before, after = [d * (k - 1) - p for d, k, p, _ in sides], [d * (k - 1) - p + more for d, k, p, more in sides]
    padded = functional.pad(spread, (before[1], after[1], before[0], after[0]))
    return padded, Affine(turned, bias, dilation=dilation, groups=groups)


def batch_norm_affine(
    mean: Tensor, variance: Tensor, weight: Tensor | None, bias: Tensor | None, epsilon: float
) -> tuple[Tensor, Tensor]:
    """Return scale and shift per channel of a batch norm in evaluation mode."""
    scale = (variance + epsilon).rsqrt()
    if weight is not None:
        scale = scale * weight
    return scale, -mean * scale if bias is None else torch.addcmul(bias, mean, scale, value=-1)


def safe_sqrt(squares: Tensor) -> Tensor:
    """Return the square root, with a gradient of 0 instead of infinity at 0."""
    if not torch.is_grad_enabled():
        return squares.sqrt()
    positive = squares > 0
    return torch.where(positive, torch.where(positive, squares, 1).sqrt(), 0)


def _shift(maps: Tensor, offsets: Sequence[Pair], size: torch.Size) -> list[Tensor]:
    """Return maps[:, t, j + offset t] for every j in `size`, and 0 beyond the maps.

    The shape changes from (n, taps, h, w) to a list of (n, *size), one for each tap.
    """
    sides = list(zip(zip(*offsets, strict=True), size, maps.shape[2:], strict=True))
    before = [max(0, -min(along)) for along, _, _ in sides]
    after = [max(0, max(along) + wanted - given) for along, wanted, given in sides]
    padded = functional.pad(maps, (before[1], after[1], before[0], after[0]))
    starts = [(top + before[0], left + before[1]) for top, left in offsets]
    return [m[:, y : y + size[0], x : x + size[1]] for m, (y, x) in zip(padded.unbind(1), starts, strict=True)]


def pair(value: int | Pair) -> Pair:
    return (value, value) if isinstance(value, int) else (value[0], value[-1])


def _spread(inputs: Tensor, stride: Pair) -> Tensor:
    """Put zeros between the positions, so that they lie `stride` apart."""
    if stride == (1, 1):
        return inputs
    height, width = ((side - 1) * step + 1 for side, step in zip(inputs.shape[2:], stride, strict=True))
    spread = inputs.new_zeros(*inputs.shape[:2], height, width)
    spread[:, :, :: stride[0], :: stride[1]] = inputs
    return spread


def _padded_to_same(inputs: Tensor, weight: Tensor, dilation: Pair) -> Tensor:
    totals = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
    top, left = totals[0] // 2, totals[1] // 2
    return functional.pad(inputs, (left, totals[1] - left, top, totals[0] - top))
