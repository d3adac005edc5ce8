"""Sharing Ratio Decomposition by its definition: forward, in loops, in float64, without autograd.

Every tensor is carried with the part of each of its vectors that each input pixel supplies. Effective receptive
fields are built from the input upwards (Han, Kim, Kwak, ICLR 2024, arXiv 2402.03348); no relevance runs downwards.
Slow on purpose: this is what the fast attributor is tested against, on images of some sixty pixels.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from jaxtyping import Float64
from scipy.special import erf
from slow_resampling import RESAMPLING, Reads, SpatialTransformer, Unpooled, Written
from torch import nn

BiasRule = Literal["norm", "ratio", "uniform", "drop"]
Contrast = Literal["none", "mean"]

Vector = Float64[np.ndarray, " c"]
PixelVectors = Float64[np.ndarray, "p c"]
PixelShares = Float64[np.ndarray, " p"]
Map = Float64[np.ndarray, "h w"]
Features = Float64[np.ndarray, "c h w"]
PixelFeatures = Float64[np.ndarray, "p c h w"]
Fields = Float64[np.ndarray, "h w h_in w_in"]
Weight = Float64[np.ndarray, "c_out c_in_per_group k_h k_w"]


# The networks: torch modules and these three, so that `nn.Sequential(*steps)` runs as it is.


class Residual(nn.Module):
    """branch(x) + shortcut(x)."""

    def __init__(self, branch: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.branch = branch
        self.shortcut = shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        total: torch.Tensor = self.branch(x) + self.shortcut(x)
        return total


class Concat(nn.Module):
    """The outputs of all branches on one input, one after the other along the channels."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)


class WrittenOut(nn.Module):
    """An activation in the words of its `author`, who does not use the name that torch has for it."""

    def __init__(self, author: str) -> None:
        super().__init__()
        self.author = author

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return WRITTEN_OUT[self.author][0](x)


class PaddedShortcut(nn.Module):
    """Every `stride`-th position, with `n_zeros` zero channels before and after (ResNet's option A)."""

    def __init__(self, stride: int, n_zeros: int) -> None:
        super().__init__()
        self.stride = stride
        self.n_zeros = n_zeros

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        sliced = x[:, :, :: self.stride, :: self.stride]
        return nn.functional.pad(sliced, (0, 0, 0, 0, self.n_zeros, self.n_zeros))


# What is carried through the network.


@dataclass(frozen=True)
class Parts:
    """`values`, and for each input pixel p (row by row) the part of every vector that p supplies."""

    values: Features
    parts: PixelFeatures

    @property
    def n_pixels(self) -> int:
        return int(self.parts.shape[0])

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return int(self.values.shape[1]), int(self.values.shape[2])


def image_parts(image: Features) -> Parts:
    """At the input, pixel p supplies its own vector and nothing else: parts_p(x_i) = [i = p] x_p."""
    channels, height, width = image.shape
    parts = np.zeros((height * width, channels, height, width))
    for row, col in np.ndindex(height, width):
        parts[row * width + col, :, row, col] = image[:, row, col]
    return Parts(image, parts)


def fractions(parts: PixelVectors, whole: Vector) -> PixelShares:
    """f_p = <parts_p, x> / ||x||^2, the share of each pixel in one vector x; all 0 where x = 0."""
    if not whole.any():
        return np.zeros(len(parts))
    shares: PixelShares = parts @ whole / (whole @ whole)
    return shares


def sharing_ratios(source: Parts) -> Float64[np.ndarray, "p h w"]:
    """mu_{p->j} = <parts_p(X_j), X_j> / ||X_j||^2 of every pixel p in every position j."""
    height, width = source.shape
    ratios = np.zeros((source.n_pixels, height, width))
    for row, col in np.ndindex(height, width):
        ratios[:, row, col] = fractions(source.parts[:, :, row, col], source.values[:, row, col])
    return ratios


# Windows: which positions an output position reads.


@dataclass(frozen=True)
class Window:
    """A sliding window; all pairs are (rows, columns)."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int] = (1, 1)

    def output_shape(self, shape: tuple[int, int]) -> tuple[int, int]:
        height, width = (
            (n + 2 * p - d * (k - 1) - 1) // s + 1
            for n, k, s, p, d in zip(shape, self.kernel, self.stride, self.padding, self.dilation, strict=True)
        )
        return height, width

    def taps(self, row: int, col: int, shape: tuple[int, int]) -> Iterator[tuple[int, int, int, int]]:
        """(tap row, tap column, source row, source column) of every tap of one output that is inside the image."""
        for a in range(self.kernel[0]):
            for b in range(self.kernel[1]):
                i = row * self.stride[0] - self.padding[0] + a * self.dilation[0]
                j = col * self.stride[1] - self.padding[1] + b * self.dilation[1]
                if 0 <= i < shape[0] and 0 <= j < shape[1]:
                    yield a, b, i, j


@dataclass(frozen=True)
class TransposedWindow(Window):
    """The window of a transposed convolution: what reads and what is read have changed places."""

    output_padding: tuple[int, int] = (0, 0)

    def output_shape(self, shape: tuple[int, int]) -> tuple[int, int]:
        geometry = zip(shape, self.kernel, self.stride, self.padding, self.dilation, self.output_padding, strict=True)
        height, width = ((n - 1) * s - 2 * p + d * (k - 1) + more + 1 for n, k, s, p, d, more in geometry)
        return height, width

    def taps(self, row: int, col: int, shape: tuple[int, int]) -> Iterator[tuple[int, int, int, int]]:
        """Those that put an input position on this output position."""
        for a, b in np.ndindex(*self.kernel):
            i, row_rest = divmod(row + self.padding[0] - a * self.dilation[0], self.stride[0])
            j, col_rest = divmod(col + self.padding[1] - b * self.dilation[1], self.stride[1])
            if not row_rest and not col_rest and 0 <= i < shape[0] and 0 <= j < shape[1]:
                yield a, b, i, j


def pair(size: int | tuple[int, ...]) -> tuple[int, int]:
    """(n, n) of n, and a pair as it is."""
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def new_parts(source: Parts, channels: int, shape: tuple[int, int]) -> Parts:
    """Zeros to be filled position by position."""
    return Parts(np.zeros((channels, *shape)), np.zeros((source.n_pixels, channels, *shape)))


# Affine maps: X_j = sum_t W_t x_{i(t)} + b.


@dataclass(frozen=True)
class Kernel:
    """A convolution with everything that was folded into it."""

    weight: Weight
    bias: Vector
    window: Window
    groups: int

    def tap_matrix(self, a: int, b: int) -> Float64[np.ndarray, "c_out c_in"]:
        """W_t of the tap at (a, b): block-diagonal, one block per group."""
        c_out, c_in = self.weight.shape[0] // self.groups, self.weight.shape[1]
        matrix = np.zeros((c_out * self.groups, c_in * self.groups))
        for g in range(self.groups):
            rows = slice(g * c_out, (g + 1) * c_out)
            matrix[rows, g * c_in : (g + 1) * c_in] = self.weight[rows, :, a, b]
        return matrix


@dataclass(frozen=True)
class Term:
    """The input and the output of one tap of one output position."""

    source: Vector  # x_i
    fractions: PixelShares  # f_p(x_i)
    supplied: Vector  # W_t x_i
    supplied_parts: PixelVectors  # W_t parts_p(x_i)


def convolution(kernel: Kernel, source: Parts, rule: BiasRule) -> Parts:
    """X_j = sum_t W_t x_{i(t)} + b; parts_p(X_j) = sum_t W_t parts_p(x_{i(t)}) + beta_p b, beta by the bias rule."""
    shape = kernel.window.output_shape(source.shape)
    output = new_parts(source, len(kernel.weight), shape)
    matrices = {(a, b): kernel.tap_matrix(a, b) for a, b in np.ndindex(*kernel.window.kernel)}
    ratios = sharing_ratios(source)
    for row, col in np.ndindex(*shape):
        terms = []
        for a, b, i, j in kernel.window.taps(row, col, source.shape):
            matrix, x, parts = matrices[a, b], source.values[:, i, j], source.parts[:, :, i, j]
            terms.append(Term(x, ratios[:, i, j], matrix @ x, parts @ matrix.T))
        shares = bias_shares(terms, rule, source.n_pixels)
        output.values[:, row, col] = kernel.bias
        output.parts[:, :, row, col] = np.outer(shares, kernel.bias)
        for term in terms:
            output.values[:, row, col] += term.supplied
            output.parts[:, :, row, col] += term.supplied_parts
    return output


def bias_shares(terms: list[Term], rule: BiasRule, n_pixels: int) -> PixelShares:
    """beta_p, the share of each pixel in the bias of one output; sums to 1 unless some of it cannot be handed on.

    norm:     beta_p = sum_t f_p(x_i) ||W_t x_i|| / sum_t ||W_t x_i||
    ratio:    beta_p = <parts_p(u), u> / ||u||^2 with u = sum_t W_t x_i
    uniform:  beta_p = mean of f_p(x_i) over the taps with x_i != 0
    drop:     0
    """
    match rule:
        case "norm":
            return weighted_fractions(terms, [float(np.linalg.norm(term.supplied)) for term in terms], n_pixels)
        case "uniform":
            return weighted_fractions(terms, [float(term.source.any()) for term in terms], n_pixels)
        case "ratio" if terms:
            return fractions(
                np.sum([term.supplied_parts for term in terms], axis=0), np.sum([t.supplied for t in terms], axis=0)
            )
        case "ratio" | "drop":
            return np.zeros(n_pixels)
    raise ValueError(f"bias: expected norm, ratio, uniform or drop, got {rule!r}")


def weighted_fractions(terms: list[Term], weights: list[float], n_pixels: int) -> PixelShares:
    """sum_t w_t f_p(x_{i(t)}) / sum_t w_t; all 0 where every weight is 0."""
    shares = np.zeros(n_pixels)
    if sum(weights) == 0:
        return shares
    for term, weight in zip(terms, weights, strict=True):
        shares += weight / sum(weights) * term.fractions
    return shares


def array(tensor: torch.Tensor | None, otherwise: Float64[np.ndarray, "..."]) -> Float64[np.ndarray, "..."]:
    """A float64 copy of a parameter or buffer, or `otherwise` where the module has none."""
    return otherwise if tensor is None else tensor.detach().to("cpu", torch.float64).numpy().copy()


def scale_and_shift(norm: nn.BatchNorm2d) -> tuple[Vector, Vector]:
    """Batch norm in eval mode: x -> scale x + shift, scale = gamma / sqrt(var + eps), shift = beta - scale mean."""
    if norm.training or norm.running_mean is None or norm.running_var is None:
        raise ValueError("BatchNorm2d: only eval mode with running statistics is an affine map; call .eval()")
    ones, zeros = np.ones(norm.num_features), np.zeros(norm.num_features)
    scale = array(norm.weight, ones) / np.sqrt(array(norm.running_var, ones) + norm.eps)
    return scale, array(norm.bias, zeros) - scale * array(norm.running_mean, zeros)


def folded(conv: nn.Conv2d | nn.ConvTranspose2d, norm: nn.BatchNorm2d | None) -> Kernel:
    """The convolution, and the batch norm after it, as one: W' = scale W, b' = scale b + shift."""
    if isinstance(conv.padding, str) or conv.padding_mode != "zeros":
        raise ValueError(f"Conv2d: only padding with zeros, by numbers, is defined here, got {conv}")
    weight = array(conv.weight, np.zeros(0))
    if isinstance(conv, nn.ConvTranspose2d):  # (c_in, c_out / groups, ...)
        groups = [part.transpose(1, 0, 2, 3) for part in np.split(weight, conv.groups)]
        weight = np.concatenate(groups)
    bias = array(conv.bias, np.zeros(conv.out_channels))
    if norm is not None:
        scale, shift = scale_and_shift(norm)
        weight, bias = scale[:, None, None, None] * weight, scale * bias + shift
    geometry = pair(conv.kernel_size), pair(conv.stride), pair(conv.padding), pair(conv.dilation)
    is_transposed = isinstance(conv, nn.ConvTranspose2d)
    window = TransposedWindow(*geometry, pair(conv.output_padding)) if is_transposed else Window(*geometry)
    return Kernel(weight, bias, window, conv.groups)


def single_tap(norm: nn.BatchNorm2d) -> Kernel:
    """A batch norm that follows no convolution: a 1x1 depthwise convolution that keeps its bias."""
    scale, shift = scale_and_shift(norm)
    return Kernel(scale[:, None, None, None], shift, Window((1, 1), (1, 1), (0, 0)), norm.num_features)


# Activations: the only place where the sharing ratio is taken.

ACTIVATIONS: dict[type[nn.Module], Callable[[Features], Features]] = {
    nn.ReLU: lambda x: np.maximum(x, 0),
    nn.ReLU6: lambda x: np.clip(x, 0, 6),
    nn.SiLU: lambda x: x / (1 + np.exp(-x)),
    nn.GELU: lambda x: x * (1 + erf(x / np.sqrt(2))) / 2,
    nn.Hardswish: lambda x: x * np.clip(x + 3, 0, 6) / 6,
}


WRITTEN_OUT: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], Callable[[Features], Features]]] = {
    "where": (lambda x: torch.where(x > 0, x, torch.zeros_like(x)), lambda x: np.maximum(x, 0)),
    "masked_fill": (lambda x: x.masked_fill(x < 0, 0.0), lambda x: np.maximum(x, 0)),
    "mask": (lambda x: x * (x > 0), lambda x: np.maximum(x, 0)),
    "maximum": (lambda x: torch.maximum(x, torch.zeros_like(x)), lambda x: np.maximum(x, 0)),
    "clamp": (lambda x: x.clamp(min=0, max=1), lambda x: np.clip(x, 0, 1)),
    "two lines": (lambda x: torch.max(x, 0.2 * x), lambda x: np.where(x > 0, x, 0.2 * x)),
    "quotient": (lambda x: x / (1 + torch.exp(-x)), lambda x: x / (1 + np.exp(-x))),
}
"""How it is written in torch, and which function of one number it is."""


def activation(phi: Callable[[Features], Features], source: Parts) -> Parts:
    """x_j = phi(X_j); parts_p(x_j) = mu_{p->j} phi(X_j)."""
    values = phi(source.values)
    return Parts(values, sharing_ratios(source)[:, None] * values[None])


# Pooling, padding and slicing: what is done to the values is done to the parts.


def max_pool(pool: nn.MaxPool2d, source: Parts) -> Parts:
    """Each channel of each output is taken, with its parts, from the position where that channel is largest."""
    if pair(pool.dilation) != (1, 1) or pool.ceil_mode:
        raise ValueError(f"MaxPool2d: dilation and ceil_mode are not defined here, got {pool}")
    window = Window(pair(pool.kernel_size), pair(pool.stride), pair(pool.padding))
    output = new_parts(source, len(source.values), window.output_shape(source.shape))
    for channel, row, col in np.ndindex(*output.values.shape):
        positions = [(i, j) for _, _, i, j in window.taps(row, col, source.shape)]
        i, j = max(positions, key=lambda position: float(source.values[channel, *position]))
        output.values[channel, row, col] = source.values[channel, i, j]
        output.parts[:, channel, row, col] = source.parts[:, channel, i, j]
    return output


def average_pool(pool: nn.AvgPool2d, source: Parts) -> Parts:
    """The mean over each window, padding counted as zeros or not as the module says."""
    if pool.ceil_mode or pool.divisor_override is not None:
        raise ValueError(f"AvgPool2d: ceil_mode and divisor_override are not defined here, got {pool}")
    window = Window(pair(pool.kernel_size), pair(pool.stride), pair(pool.padding))
    shape = window.output_shape(source.shape)
    output = new_parts(source, len(source.values), shape)
    for row, col in np.ndindex(*shape):
        taps = list(window.taps(row, col, source.shape))
        size = window.kernel[0] * window.kernel[1] if pool.count_include_pad else len(taps)
        for _, _, i, j in taps:
            output.values[:, row, col] += source.values[:, i, j] / size
            output.parts[:, :, row, col] += source.parts[:, :, i, j] / size
    return output


def resampled(reads: Reads, source: Parts) -> Parts:
    """Each output is the sum of the inputs that it reads, by their weights."""
    shape = tuple(max(place[axis] for place in reads) + 1 for axis in range(3))
    output = new_parts(source, shape[0], (shape[1], shape[2]))
    for (channel, row, col), inputs in reads.items():
        for place, weight in inputs:
            output.values[channel, row, col] += weight * source.values[place]
            output.parts[:, channel, row, col] += weight * source.parts[:, *place]
    return output


def padded_shortcut(step: PaddedShortcut, source: Parts) -> Parts:
    """Slicing and zero channels, of values and parts alike."""
    zeros = (step.n_zeros, step.n_zeros)
    return Parts(
        np.pad(source.values[:, :: step.stride, :: step.stride], (zeros, (0, 0), (0, 0))),
        np.pad(source.parts[:, :, :: step.stride, :: step.stride], ((0, 0), zeros, (0, 0), (0, 0))),
    )


def zero_pad(step: nn.ZeroPad2d, source: Parts) -> Parts:
    """Zeros around the image, of values and parts alike."""
    left, right, top, bottom = step.padding
    if min(step.padding) < 0:
        raise ValueError(f"ZeroPad2d: negative padding is not defined here, got {step}")
    border = ((0, 0), (top, bottom), (left, right))
    return Parts(np.pad(source.values, border), np.pad(source.parts, ((0, 0), *border)))


# The walk through a network.


def flattened(steps: Iterable[nn.Module]) -> Iterator[nn.Module]:
    """The steps with every nn.Sequential opened and every nn.Identity left out."""
    for step in steps:
        if isinstance(step, nn.Sequential):
            yield from flattened(step)
        elif not isinstance(step, nn.Identity):
            yield step


def with_batch_norm(steps: Sequence[nn.Module]) -> Iterator[tuple[nn.Module, nn.BatchNorm2d | None]]:
    """The steps, each convolution together with the batch norm that directly follows it."""
    position = 0
    while position < len(steps):
        step, following = steps[position], steps[position + 1 : position + 2]
        norm = following[0] if isinstance(step, nn.Conv2d | nn.ConvTranspose2d) and following else None
        norm = norm if isinstance(norm, nn.BatchNorm2d) else None
        yield step, norm
        position += 1 if norm is None else 2


def walked(steps: Iterable[nn.Module], source: Parts, rule: BiasRule) -> Parts:
    """The steps one after the other."""
    for step, norm in with_batch_norm(list(flattened(steps))):
        source = applied(step, norm, source, rule)
    return source


def applied(step: nn.Module, norm: nn.BatchNorm2d | None, source: Parts, rule: BiasRule) -> Parts:
    """One step, a convolution with the batch norm that belongs to it."""
    match step:
        case nn.Conv2d() | nn.ConvTranspose2d():
            return convolution(folded(step, norm), source, rule)
        case nn.BatchNorm2d():
            return convolution(single_tap(step), source, rule)
        case nn.MaxPool2d():
            return max_pool(step, source)
        case nn.AvgPool2d():
            return average_pool(step, source)
        case nn.ZeroPad2d():
            return zero_pad(step, source)
        case _ if type(step) in RESAMPLING:
            return resampled(RESAMPLING[type(step)](step, source.values), source)
        case PaddedShortcut():
            return padded_shortcut(step, source)
        case WrittenOut():
            return activation(WRITTEN_OUT[step.author][1], source)
        case Residual():
            branch, shortcut = walked([step.branch], source, rule), walked([step.shortcut], source, rule)
            return Parts(branch.values + shortcut.values, branch.parts + shortcut.parts)
        case Concat():
            branches = [walked([branch], source, rule) for branch in step.branches]
            return Parts(
                np.concatenate([branch.values for branch in branches], axis=0),
                np.concatenate([branch.parts for branch in branches], axis=1),
            )
        case _ if type(step) in ACTIVATIONS and getattr(step, "approximate", "none") == "none":
            return activation(ACTIVATIONS[type(step)], source)
    raise TypeError(f"no rule for {step}")


def erfs(steps: Iterable[nn.Module], image: Float64[torch.Tensor, "c h w"], *, bias: BiasRule = "norm") -> Parts:
    """The output of the steps on one image, and what each pixel supplies of it."""
    return walked(steps, image_parts(array(image, np.zeros(0))), bias)


def before_last_activation(encoder: nn.Sequential) -> list[nn.Module]:
    """All steps of the encoder but the activation that it must end with."""
    steps = list(flattened(encoder))
    if not steps or type(steps[-1]) not in ACTIVATIONS:
        raise ValueError(f"encoder: must end with an activation, got {steps[-1] if steps else 'no step'}")
    return steps[:-1]


def receptive_fields(
    encoder: nn.Sequential, image: Float64[torch.Tensor, "c h w"], *, bias: BiasRule = "norm"
) -> Fields:
    """ERF_j(p) = mu_{p->j} of the encoder's last activation: signed, and 1 in sum over p unless some bias was lost."""
    ratios = sharing_ratios(erfs(before_last_activation(encoder), image, bias=bias))
    _, height, width = ratios.shape
    return ratios.transpose(1, 2, 0).reshape(height, width, image.shape[-2], image.shape[-1])


@dataclass(frozen=True)
class SlowSrd:
    """The map of one image and what it was summed from."""

    map: Map
    relevance: Map  # per position of the encoder output
    lost: float  # sum of the relevance less the sum of the map


def relevance(head: nn.Module, features: Features, target: int, contrast: Contrast) -> Map:
    """R_p = <x_p, d y_c / d x_p>, less its mean over positions for contrast "mean"."""
    if contrast not in get_args(Contrast):
        raise ValueError(f"contrast: expected none or mean, got {contrast!r}")
    with torch.enable_grad():
        x = torch.from_numpy(features)[None].requires_grad_()
        (gradient,) = torch.autograd.grad(head(x)[0, target], x)
    scores: Map = np.sum(features * gradient[0].numpy(), axis=0)
    centred: Map = scores - scores.mean()
    return centred if contrast == "mean" else scores


def slow_srd(
    encoder: nn.Sequential,
    head: nn.Module,
    image: Float64[torch.Tensor, "c h w"],
    target: int,
    *,
    bias: BiasRule = "norm",
    contrast: Contrast = "none",
) -> SlowSrd:
    """map = sum_p R_p ERF_p over the positions p of the encoder output."""
    fields = receptive_fields(encoder, image, bias=bias)
    scores = relevance(head, erfs(encoder, image, bias=bias).values, target, contrast)
    total = np.zeros(fields.shape[2:])
    for row, col in np.ndindex(*scores.shape):
        total += scores[row, col] * fields[row, col]
    return SlowSrd(total, scores, float(scores.sum() - total.sum()))


# Example networks.


class Example(NamedTuple):
    """A network, head(encoder(image)), in float64 and eval mode, and the shape of its image without the batch axis."""

    encoder: nn.Sequential
    head: nn.Module
    image_shape: tuple[int, int, int]


BIAS_LEAN = 0.8  # about the standard deviation of what the weights supply


def randomised(module: nn.Module, generator: torch.Generator) -> None:
    """Weights, biases and batch-norm statistics far from their defaults, with some negative scales.

    Biases lean to the positive side, so that a vector whose neurons are all inactive stays rare.
    """

    def normal(like: torch.Tensor, scale: float) -> torch.Tensor:
        return scale * torch.randn(like.shape, generator=generator, dtype=torch.float64)

    def uniform(like: torch.Tensor, low: float, high: float) -> torch.Tensor:
        return low + (high - low) * torch.rand(like.shape, generator=generator, dtype=torch.float64)

    module.to(torch.float64).eval().requires_grad_(False)
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            layer.weight.copy_(normal(layer.weight, layer.weight[0].numel() ** -0.5))
            if layer.bias is not None:
                layer.bias.copy_(BIAS_LEAN + normal(layer.bias, 0.4))
        if isinstance(layer, nn.BatchNorm2d):
            signs = torch.where(uniform(layer.weight, 0, 1) < 0.25, -1.0, 1.0)
            layer.weight.copy_(signs * uniform(layer.weight, 0.5, 1.5))
            layer.bias.copy_(BIAS_LEAN + normal(layer.bias, 0.4))
            if layer.running_mean is not None and layer.running_var is not None:
                layer.running_mean.copy_(normal(layer.running_mean, 0.4))
                layer.running_var.copy_(uniform(layer.running_var, 0.4, 2.0))


def pooled_linear(channels: int) -> nn.Sequential:
    """Global average pooling and a linear layer: R is then exact up to the head's bias."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 4))


def pooled_convolution(channels: int) -> nn.Sequential:
    """A classifier that is a 1x1 convolution after pooling."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, 4, 1), nn.Flatten())


def max_pooled_mlp(n_pooled: int) -> nn.Sequential:
    """VGG's head: max pooling, then two linear layers."""
    return nn.Sequential(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(n_pooled, 10), nn.ReLU(), nn.Linear(10, 4))


def conv_norm(
    c_in: int, c_out: int, size: int, *, stride: int = 1, groups: int = 1, bias: bool = False
) -> list[nn.Module]:
    """A convolution that keeps the size (up to its stride) and the batch norm that belongs to it."""
    conv = nn.Conv2d(c_in, c_out, size, stride=stride, padding=size // 2, groups=groups, bias=bias)
    return [conv, nn.BatchNorm2d(c_out)]


def pixelwise() -> Example:
    """1x1 convolutions only: every field is the pixel itself."""
    encoder = nn.Sequential(nn.Conv2d(3, 5, 1), nn.ReLU(), *conv_norm(5, 6, 1), nn.SiLU())
    return Example(encoder, pooled_linear(6), (3, 7, 9))


def reused_activation() -> Example:
    """One ReLU module called three times; max pooling and an MLP above."""
    relu = nn.ReLU()
    convs = [nn.Conv2d(3, 5, 3, padding=1), nn.Conv2d(5, 5, 3), nn.Conv2d(5, 6, 2)]
    encoder = nn.Sequential(convs[0], relu, convs[1], relu, convs[2], relu)
    return Example(encoder, max_pooled_mlp(6 * 2 * 3), (3, 7, 9))


def strided_dilated() -> Example:
    """Strides, paddings, dilations and kernels that differ between rows and columns."""
    encoder = nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=(2, 1), padding=(1, 2)),
        nn.ReLU(),
        nn.Conv2d(4, 5, 3, padding=(2, 1), dilation=(2, 1)),
        nn.ReLU(),
        nn.ZeroPad2d((1, 0, 0, 1)),
        nn.Conv2d(5, 5, (2, 3), stride=(1, 2)),
        nn.ReLU(),
    )
    return Example(encoder, pooled_linear(5), (2, 8, 6))


def grouped() -> Example:
    """Groups with and without batch norm, dilated once."""
    encoder = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.ReLU(),
        *conv_norm(4, 6, 3, groups=2, bias=True),
        nn.ReLU(),
        nn.Conv2d(6, 6, 3, padding=2, dilation=2, groups=3),
        nn.ReLU(),
    )
    return Example(encoder, pooled_linear(6), (3, 7, 9))


def overlapping_max_pool() -> Example:
    """A stem with 3x3 max pooling at stride 2, and max pooling of a map that no activation made."""
    encoder = nn.Sequential(
        *conv_norm(3, 5, 3, bias=True),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2, padding=1),
        nn.Conv2d(5, 6, 3, padding=1),
        nn.MaxPool2d((2, 1), stride=1),
        nn.ReLU(),
        nn.Conv2d(6, 6, 3, padding=1),
        nn.ReLU(),
    )
    return Example(encoder, pooled_linear(6), (3, 7, 9))


def average_pools() -> Example:
    """Average pooling with counted and uncounted padding."""
    encoder = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Conv2d(4, 5, 3, padding=1),
        nn.ReLU(),
        nn.AvgPool2d(3, stride=1, padding=1),
        nn.Conv2d(5, 5, 1),
        nn.ReLU(),
        nn.AvgPool2d((1, 3), stride=1, padding=(0, 1), count_include_pad=False),
        *conv_norm(5, 6, 1),
        nn.ReLU(),
    )
    return Example(encoder, pooled_linear(6), (2, 8, 6))


def linear_chain() -> Example:
    """Linear maps with biases in a row, no activation between them."""
    encoder = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.Conv2d(4, 5, 3, stride=2, padding=1),
        nn.AvgPool2d(2, stride=1),
        *conv_norm(5, 5, 2, bias=True),
        nn.ReLU(),
        nn.Conv2d(5, 6, 2),
        nn.Conv2d(6, 6, 1),
        nn.ReLU(),
    )
    return Example(encoder, pooled_linear(6), (2, 8, 6))


def residual_identity() -> Example:
    """A basic block, its sum read by an activation in place."""
    branch = nn.Sequential(*conv_norm(5, 5, 3), nn.ReLU(inplace=True), *conv_norm(5, 5, 3))
    encoder = nn.Sequential(
        *conv_norm(3, 5, 3), nn.ReLU(inplace=True), Residual(branch, nn.Identity()), nn.ReLU(inplace=True)
    )
    return Example(encoder, pooled_linear(5), (3, 7, 9))


def residual_projection() -> Example:
    """A bottleneck with a strided 1x1 shortcut after a pooled stem."""
    branch = nn.Sequential(
        *conv_norm(4, 3, 1), nn.ReLU(), *conv_norm(3, 3, 3, stride=2), nn.ReLU(), *conv_norm(3, 8, 1)
    )
    encoder = nn.Sequential(
        *conv_norm(3, 4, 3),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2, padding=1),
        Residual(branch, nn.Sequential(*conv_norm(4, 8, 1, stride=2))),
        nn.ReLU(),
    )
    return Example(encoder, pooled_linear(8), (3, 7, 9))


def residual_padded() -> Example:
    """A basic block whose shortcut is sliced and padded with zero channels."""
    branch = nn.Sequential(*conv_norm(4, 8, 3, stride=2), nn.ReLU(), *conv_norm(8, 8, 3))
    encoder = nn.Sequential(*conv_norm(3, 4, 3), nn.ReLU(), Residual(branch, PaddedShortcut(2, 2)), nn.ReLU())
    return Example(encoder, pooled_linear(8), (3, 7, 9))


def fire() -> Example:
    """SqueezeNet: two activations side by side, joined along the channels."""
    wide = nn.Sequential(nn.Conv2d(5, 5, 3, padding=1), nn.ReLU())
    encoder = nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(6, 5, 1),
        nn.ReLU(),
        Concat(nn.Sequential(nn.Conv2d(5, 4, 1), nn.ReLU()), wide),
        nn.MaxPool2d(3, stride=2),
        nn.Conv2d(9, 6, 2),
        nn.ReLU(),
    )
    return Example(encoder, pooled_linear(6), (2, 8, 6))


def dense_block() -> Example:
    """DenseNet: batch norms that follow a concatenation or a pooling and therefore no convolution."""
    layer = nn.Sequential(nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 3, 3, padding=1, bias=False))
    encoder = nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1),
        nn.ReLU(),
        Concat(nn.Identity(), layer),
        nn.BatchNorm2d(9),
        nn.ReLU(),
        nn.Conv2d(9, 5, 1, bias=False),
        nn.AvgPool2d(2),
        nn.BatchNorm2d(5),
        nn.ReLU(),
    )
    return Example(encoder, pooled_linear(5), (2, 8, 6))


def two_readers() -> Example:
    """Convolutions whose output is read twice: by an activation and a shortcut, and by two activations."""
    encoder = nn.Sequential(
        *conv_norm(3, 5, 3),
        Residual(nn.Sequential(nn.ReLU(), nn.Conv2d(5, 5, 3, padding=1)), nn.Identity()),
        nn.ReLU(),
        nn.Conv2d(5, 4, 3, padding=1),
        Concat(nn.ReLU(), nn.SiLU(), nn.Identity()),
        nn.Conv2d(12, 6, 1),
        nn.ReLU(),
    )
    return Example(encoder, pooled_linear(6), (3, 7, 9))


def preactivation_residual() -> Example:
    """A convolution read by a batch norm and by a shortcut, run once for each: the norm folds into its own run."""
    conv = nn.Conv2d(3, 5, 3, padding=1, stride=2)
    branch = nn.Sequential(
        conv, nn.BatchNorm2d(5), nn.ReLU(), *conv_norm(5, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3, padding=1)
    )
    encoder = nn.Sequential(Residual(branch, conv), nn.BatchNorm2d(5), nn.ReLU())
    return Example(encoder, pooled_linear(5), (3, 7, 9))


def smooth() -> Example:
    """SiLU, GELU and Hardswish, which are negative in places."""
    encoder = nn.Sequential(
        *conv_norm(2, 4, 3),
        nn.SiLU(),
        nn.Conv2d(4, 5, 3, padding=1, stride=2),
        nn.GELU(),
        *conv_norm(5, 5, 3, groups=5),
        nn.Hardswish(),
        nn.Conv2d(5, 6, 1),
        nn.SiLU(),
    )
    return Example(encoder, pooled_linear(6), (2, 8, 6))


def written_out() -> Example:
    """Activations written out: by masks, as the larger of two, by formulas."""
    steps: list[nn.Module] = [nn.Conv2d(2, 5, 3, padding=1), WrittenOut("where")]
    for author in WRITTEN_OUT:
        steps += [*conv_norm(5, 5, 2), WrittenOut(author)]
    encoder = nn.Sequential(*steps, nn.Conv2d(5, 5, 1), nn.ReLU())
    return Example(encoder, pooled_linear(5), (2, 7, 6))


def transposed() -> Example:
    """Transposed convolutions: strided, dilated, grouped, cropped, one tap for each output, with a batch norm."""
    encoder = nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=2),
        nn.ReLU(),
        nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1),
        nn.ReLU(),
        nn.Conv2d(6, 4, 2),
        nn.ReLU(),
        nn.ConvTranspose2d(4, 6, (2, 3), stride=(2, 1), padding=(0, 1), groups=2),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.ConvTranspose2d(6, 5, 2, dilation=(2, 1), padding=(3, 1), bias=False),
        nn.ConvTranspose2d(5, 5, 2, stride=2),
        nn.ReLU(),
    )
    return Example(encoder, pooled_linear(5), (2, 8, 6))


def resized() -> Example:
    """Maps interpolated: nearest and bilinear, corners aligned or not."""
    encoder = nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=2),
        nn.ReLU(),
        nn.Upsample(scale_factor=2.0, mode="nearest"),
        nn.Conv2d(4, 5, 3, stride=2),
        nn.Upsample(scale_factor=3.0, mode="bilinear"),
        nn.ReLU(),
        nn.Upsample(scale_factor=1.5, mode="bilinear", align_corners=True),
        nn.Conv2d(5, 5, 2, stride=2),
        nn.ReLU(),
    )
    return Example(encoder, pooled_linear(5), (2, 8, 6))


def warped() -> Example:
    """Spatial transformers of the image and of features, whose grids are held constant."""
    encoder = nn.Sequential(
        SpatialTransformer(2, align_corners=True),
        *conv_norm(2, 5, 3),
        nn.ReLU(),
        SpatialTransformer(5, align_corners=False),
        nn.Conv2d(5, 5, 2),
        nn.ReLU(),
    )
    return Example(encoder, pooled_linear(5), (2, 7, 6))


def pooled_and_written() -> Example:
    """Adaptive max pooling, max pooling with indices and back, and writing into slices."""
    encoder = nn.Sequential(
        nn.Conv2d(2, 5, 3, padding=1),
        Unpooled(2),
        nn.ReLU(),
        Written(2),
        *conv_norm(5, 6, 2),
        Written(4),
        nn.ReLU(),
        nn.AdaptiveMaxPool2d((4, 3)),
        nn.Conv2d(6, 5, 2),
        nn.ReLU(),
    )
    return Example(encoder, pooled_linear(5), (2, 8, 6))


PLAIN: tuple[Callable[[], Example], ...] = (
    pixelwise,
    reused_activation,
    strided_dilated,
    grouped,
    overlapping_max_pool,
    average_pools,
    linear_chain,
    residual_identity,
    residual_projection,
    residual_padded,
    fire,
    dense_block,
    two_readers,
    preactivation_residual,
    smooth,
    written_out,
    transposed,
    resized,
    warped,
    pooled_and_written,
)


def built(network: Callable[[], Example], generator: torch.Generator) -> Example:
    """The network with random parameters."""
    example = network()
    randomised(example.encoder, generator)
    randomised(example.head, generator)
    return example


DEADENING = -0.8  # puts about half of the positions of the first ReLU to zero in all channels


def dead_vectors(generator: torch.Generator) -> Example:
    """Some positions are all zero after the first ReLU, so the biases that read only them are lost."""
    first = nn.Conv2d(2, 3, 2)
    encoder = nn.Sequential(first, nn.ReLU(), nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 4, (1, 2)), nn.ReLU())
    example = built(lambda: Example(encoder, pooled_linear(4), (2, 8, 6)), generator)
    if first.bias is not None:
        nn.init.constant_(first.bias, DEADENING)
    return example


def inverted_residual(generator: torch.Generator) -> Example:
    """MobileNetV2: depthwise convolutions, linear bottlenecks followed by a convolution, ReLU6 reaching its 6."""
    branch = [*conv_norm(4, 8, 1), nn.ReLU6(), *conv_norm(8, 8, 3, groups=8), nn.ReLU6(), *conv_norm(8, 4, 1)]
    stem = nn.BatchNorm2d(8)
    encoder = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False),
        stem,
        nn.ReLU6(),
        *conv_norm(8, 8, 3, groups=8),
        nn.ReLU6(inplace=True),
        *conv_norm(8, 4, 1),
        Residual(nn.Sequential(*branch), nn.Identity()),
        *conv_norm(4, 9, 1),
        nn.ReLU6(),
    )
    example = built(lambda: Example(encoder, pooled_convolution(9), (3, 7, 9)), generator)
    stem.weight.mul_(4)
    stem.bias.mul_(4)
    return example


def example_networks() -> dict[str, Callable[[torch.Generator], Example]]:
    """Name -> factory of a small network with random parameters drawn from the generator."""
    plain = {network.__name__: functools.partial(built, network) for network in PLAIN}
    return {**plain, "inverted_residual": inverted_residual, "dead_vectors": dead_vectors}
