"""Convolutions as affine maps between pointwise feature vectors: their taps, norms and bias."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.grad import conv2d_input

Pair = tuple[int, int]

GRAM_LIMIT = 4  # channels per group up to which a quadratic form is cheaper than one product per tap


@dataclass(frozen=True)
class Affine:
    """A convolution (n, c, h, w) -> (n, k, h', w'), with the batch norm that follows it folded in."""

    weight: Tensor
    bias: Tensor | None
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1

    @property
    def n_taps(self) -> int:
        """Kernel positions."""
        return self.weight.shape[2] * self.weight.shape[3]

    @property
    def is_pointwise(self) -> bool:
        """Whether output position j reads exactly input position j."""
        return self.n_taps == 1 and self.stride == (1, 1) and self.padding == (0, 0)

    def followed_by(self, scale: Tensor, shift: Tensor) -> "Affine":
        """The same map with `y * scale + shift` per output channel after it."""
        bias = shift if self.bias is None else self.bias * scale + shift
        return replace(self, weight=self.weight * scale[:, None, None, None], bias=bias)

    def tap_norms(self, inputs: Tensor) -> Tensor:
        """||W_t x_i|| of every tap t at every input position i: (n, taps, h, w). A lone tap needs no norm: 1 or 0."""
        if self.n_taps == 1:
            return self.tap_presence(inputs)
        few = self.weight.shape[1] <= GRAM_LIMIT
        return safe_sqrt(self._squares_by_gram(inputs) if few else self._squares_by_tap(inputs))

    def tap_presence(self, inputs: Tensor) -> Tensor:
        """1 for every tap whose x_i is not zero, else 0: (n, taps, h, w)."""
        return inputs.detach().ne(0).any(1, keepdim=True).to(inputs.dtype).expand(-1, self.n_taps, -1, -1)

    def gather(self, taps: Tensor) -> Tensor:
        """Sum over the taps that reach each output position: (n, taps, h, w) -> (n, 1, h', w')."""
        return functional.conv2d(taps, self._one_hot(taps), None, self.stride, self.padding, self.dilation)

    def scatter(self, outputs: Tensor, size: torch.Size) -> Tensor:
        """Transpose of `gather`: the value at the output position that each tap of an input position reaches."""
        shape = [outputs.shape[0], self.n_taps, *size]
        spread: Tensor = conv2d_input(shape, self._one_hot(outputs), outputs, self.stride, self.padding, self.dilation)
        return spread

    def _one_hot(self, like: Tensor) -> Tensor:
        height, width = self.weight.shape[2:]
        identity = torch.eye(self.n_taps, dtype=like.dtype, device=like.device)
        return identity.reshape(1, self.n_taps, height, width)

    def _squares_by_tap(self, inputs: Tensor) -> Tensor:
        taps = self.weight.flatten(2).permute(2, 0, 1).contiguous()
        squares = [functional.conv2d(inputs, tap[:, :, None, None], groups=self.groups).square().sum(1) for tap in taps]
        return torch.stack(squares, 1)

    def _squares_by_gram(self, inputs: Tensor) -> Tensor:
        n, _, height, width = inputs.shape
        c = self.weight.shape[1]
        weight = self.weight.reshape(self.groups, -1, c, self.n_taps)
        gram = torch.einsum("gkat,gkbt->tgab", weight, weight)
        x = inputs.reshape(n, self.groups, c, height, width)
        products = torch.einsum("ngahw,ngbhw->ngabhw", x, x).reshape(n, -1, height, width)
        return functional.conv2d(products, gram.reshape(self.n_taps, -1, 1, 1)).clamp(min=0)


def convolution(
    inputs: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: int | Pair,
    padding: int | str | Pair,
    dilation: int | Pair,
    groups: int,
) -> tuple[Tensor, Affine]:
    """A call of torch's conv2d as an affine map, and the inputs it is applied to: padded, if padding is "same"."""
    stride, dilation = _pair(stride), _pair(dilation)
    if padding == "same":
        inputs, padding = _padded_to_same(inputs, weight, dilation), 0
    numbers = (0, 0) if isinstance(padding, str) else _pair(padding)
    return inputs, Affine(weight, bias, stride, numbers, dilation, groups)


def batch_norm_affine(
    mean: Tensor, variance: Tensor, weight: Tensor | None, bias: Tensor | None, epsilon: float
) -> tuple[Tensor, Tensor]:
    """Scale and shift per channel of a batch norm in evaluation mode."""
    scale = (variance + epsilon).rsqrt() * (1 if weight is None else weight)
    return scale, (0 if bias is None else bias) - mean * scale


def safe_sqrt(squares: Tensor) -> Tensor:
    """Square root whose gradient at 0 is 0 instead of infinite."""
    positive = squares > 0
    return torch.where(positive, torch.where(positive, squares, 1).sqrt(), 0)


def safe_ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Quotient, 0 where the (non-negative) denominator is 0."""
    positive = denominator > 0
    return torch.where(positive, numerator / torch.where(positive, denominator, 1), 0)


def _pair(value: int | Pair) -> Pair:
    return (value, value) if isinstance(value, int) else (value[0], value[-1])


def _padded_to_same(inputs: Tensor, weight: Tensor, dilation: Pair) -> Tensor:
    totals = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
    top, left = totals[0] // 2, totals[1] // 2
    return functional.pad(inputs, (left, totals[1] - left, top, totals[0] - top))
