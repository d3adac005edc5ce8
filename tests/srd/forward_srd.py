"""Sharing Ratio Decomposition of a torchvision classifier by its definition: forward, source by source, in float64.

The network is traced with torch.fx. Every tensor is carried with the part of it that each source supplies, a source
being a pixel or one class of a partition of the pixels: all rules are linear in the parts, so a partition is exact.
No relevance runs downwards; the only gradient is that of the head. Slow on purpose: this is what the fast
attributor is tested against, network family by network family.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import torch
from forward_attention import ATTENTION
from torch import Tensor, fx, nn
from torch.nn import functional
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten
from torchvision.models.maxvit import RelativePositionalMultiHeadAttention

BiasRule = Literal["norm", "ratio", "uniform", "drop"]
Contrast = Literal["none", "mean"]

ACTIVATIONS = frozenset("relu hardtanh silu gelu hardswish".split())
GATES = frozenset("sigmoid hardsigmoid".split())
QUESTIONS = frozenset("getattr size dim".split())
MOVES = frozenset("flatten view reshape permute transpose swapaxes unsqueeze mean".split())
"""Linear operations after which the channels may stand on another axis."""
ALIKE = MOVES | frozenset(
    "dropout stochastic_depth avg_pool2d adaptive_avg_pool2d contiguous getitem chunk pad mul "
    "_patch_merging_pad".split()
)
"""Operations linear in their one tensor with parts: what is done to the value is done to every part."""


# What is carried through the network.


@dataclass(frozen=True)
class Shared:
    """A tensor (1, ...), and one above the other the part of it that each source supplies, (n_sources, ...)."""

    value: Tensor
    parts: Tensor


def source(image: Tensor, partition: Tensor) -> Shared:
    """At the input, a source supplies the vectors of its own pixels and nothing else."""
    labels = torch.arange(int(partition.max()) + 1)
    return Shared(image[None], image * (partition == labels[:, None, None])[:, None])


def fractions(x: Shared, channels: int) -> Tensor:
    """f_s(p) = <parts_s(x_p), x_p> / ||x_p||^2, the share of each source in one vector; 0 where x_p = 0."""
    products = (x.parts * x.value).sum(channels, keepdim=True)
    return ratio(products, x.value.square().sum(channels, keepdim=True))


def ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    """The quotient, 0 where the denominator is 0."""
    return torch.where(denominator != 0, numerator / denominator, 0.0)


def alike(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """A linear function of all that has parts, applied to the values and to the parts of one source after the other."""
    leaves, tree = tree_flatten((args, kwargs))

    def of(which: Callable[[Shared], Tensor]) -> Any:
        args, kwargs = tree_unflatten([which(x).clone() if isinstance(x, Shared) else x for x in leaves], tree)
        return function(*args, **kwargs)

    def part(s: int) -> Callable[[Shared], Tensor]:
        return lambda x: x.parts[s : s + 1]

    n_sources = next(len(x.parts) for x in leaves if isinstance(x, Shared))
    pieces = [of(part(s)) for s in range(n_sources)]
    return tree_map(lambda value, *parts: Shared(value, torch.cat(parts)), of(lambda x: x.value), *pieces)


def summed(function: Callable[..., Any], operands: Any, *args: Any, **kwargs: Any) -> Shared:
    """A sum or a concatenation; what has no parts has a part of 0."""
    value = function(*tree_map(lambda x: x.value.clone() if isinstance(x, Shared) else x, operands), *args, **kwargs)
    constants_away = tree_map(lambda x: x if isinstance(x, Shared) else 0 * x, operands)
    return Shared(value, alike(function, *constants_away, *args, **kwargs).parts)


# Affine maps: without their bias they are done to values and parts alike, the bias is shared out by the rule.


def with_bias(unbiased: Shared, bias: Tensor | None, shares: Callable[[], Tensor]) -> Shared:
    """`unbiased` + bias, of which each source gets its share."""
    if bias is None:
        return unbiased
    return Shared(unbiased.value + bias, unbiased.parts + shares() * bias)


def pointwise_shares(x: Shared, unbiased: Shared, channels: int, rule: BiasRule) -> Tensor:
    """Return the shares of a map with one tap: those of its input, or for "ratio" of its output without the bias."""
    match rule:
        case "norm" | "uniform":
            return fractions(x, channels)
        case "ratio":
            return fractions(unbiased, channels)
        case "drop":
            return torch.zeros_like(fractions(x, channels))


def pointwise(x: Shared, weight: Tensor, bias: Tensor | None, rule: BiasRule) -> Shared:
    """x W^T + b over the last axis."""
    unbiased = Shared(x.value @ weight.T, x.parts @ weight.T)
    return with_bias(unbiased, bias, lambda: pointwise_shares(x, unbiased, -1, rule))


def scaled(x: Shared, scale: Tensor, shift: Tensor, rule: BiasRule) -> Shared:
    """A batch norm that follows no convolution."""
    scale, shift = scale[:, None, None], shift[:, None, None]
    unbiased = Shared(x.value * scale, x.parts * scale)
    return with_bias(unbiased, shift, lambda: pointwise_shares(x, unbiased, 1, rule))


def layer_norm(
    x: Shared, shape: tuple[int], weight: Tensor, bias: Tensor | None, eps: float, *, rule: BiasRule
) -> Shared:
    """weight D (x - mean) + bias over the last axis, the denominator in D held constant."""
    held = inverse_deviation(x.value, eps)
    unbiased = alike(lambda x: weight * (x - x.mean(-1, keepdim=True)), x)
    unbiased = Shared(unbiased.value * held, unbiased.parts * held)
    return with_bias(unbiased, bias, lambda: pointwise_shares(x, unbiased, -1, rule))


def inverse_deviation(x: Tensor, eps: float) -> Tensor:
    """1 / sqrt(var + eps) over the last axis."""
    return (x.var(-1, correction=0, keepdim=True) + eps).rsqrt()


@dataclass(frozen=True)
class Convolution:
    """The arguments of torch's conv2d, in its order."""

    weight: Tensor
    bias: Tensor | None
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int

    def followed_by(self, norm: nn.BatchNorm2d) -> "Convolution":
        """W' = scale W, b' = scale b + shift."""
        scale, shift = scale_and_shift(norm)
        bias = shift if self.bias is None else scale * self.bias + shift
        return replace(self, weight=scale[:, None, None, None] * self.weight, bias=bias)

    def __call__(self, x: Shared, rule: BiasRule) -> Shared:
        unbiased = Shared(self._convolved(x.value), self._convolved(x.parts))
        bias = None if self.bias is None else self.bias[:, None, None]
        return with_bias(unbiased, bias, lambda: self._shares(x, unbiased, rule))

    def _convolved(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, self.weight, None, self.stride, self.padding, self.dilation, self.groups)

    def _shares(self, x: Shared, unbiased: Shared, rule: BiasRule) -> Tensor:
        """norm and uniform: sum_t w_t f_s(x_i(t)) / sum_t w_t with w_t = ||W_t x_i(t)|| and [x_i(t) != 0]."""
        if rule in {"ratio", "drop"}:
            return pointwise_shares(unbiased, unbiased, 1, rule)
        columns = self._columns(x.value)[0]
        is_counted = rule == "uniform" or columns.shape[1] == 1
        weights = columns.ne(0).any(0).double() if is_counted else self._tap_norms(columns)
        shares = (self._columns(fractions(x, 1))[:, 0] * weights).sum(1)
        return ratio(shares, weights.sum(0)).reshape(len(shares), 1, *unbiased.value.shape[2:])

    def _columns(self, x: Tensor) -> Tensor:
        """Return the value that each tap reads at each output position: (n, c, taps, positions)."""
        kernel = self.weight.shape[2:]
        columns = functional.unfold(x, kernel, self.dilation, self.padding, self.stride)
        return columns.reshape(len(x), x.shape[1], kernel.numel(), -1)

    def _tap_norms(self, columns: Tensor) -> Tensor:
        """||W_t x_i||: (taps, positions)."""
        weight = self.weight.flatten(2).unflatten(0, (self.groups, -1))
        supplied = torch.einsum("gkct,gctl->gktl", weight, columns.unflatten(0, (self.groups, -1)))
        norms: Tensor = torch.linalg.vector_norm(supplied, dim=(0, 1))
        return norms


def convolution(x: Shared, *args: Any, rule: BiasRule, **kwargs: Any) -> Shared:
    """One that no batch norm follows."""
    return Convolution(*args, **kwargs)(x, rule)


AFFINE: dict[str, Callable[..., Shared]] = {"conv2d": convolution, "linear": pointwise, "layer_norm": layer_norm}


def scale_and_shift(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Batch norm in evaluation mode: x -> scale x + shift."""
    mean, variance = norm.running_mean, norm.running_var
    if norm.training or mean is None or variance is None:
        raise ValueError("BatchNorm2d: only evaluation mode with running statistics is affine")
    scale = norm.weight / (variance + norm.eps).sqrt()
    return scale, norm.bias - mean * scale


# Activations and max pooling.


def activation(phi: Callable[[Tensor], Tensor], x: Shared, channels: int) -> Shared:
    """x_j = phi(X_j); parts_s(x_j) = mu_s(j) phi(X_j)."""
    value = phi(x.value.clone())
    return Shared(value, fractions(x, channels) * value)


def max_pool(x: Shared, *args: Any, **kwargs: Any) -> Shared:
    """Each channel of each output is taken, with its parts, from where that channel is largest."""
    value, index = functional.max_pool2d(x.value, *args, **{**kwargs, "return_indices": True})
    taken = x.parts.flatten(2).gather(2, index.flatten(2).expand(len(x.parts), -1, -1))
    return Shared(value, taken.unflatten(2, value.shape[2:]))


# The walk through a network.


class Tracer(fx.Tracer):
    """Enters every module but these three, so that nearly all operations are functions."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, nn.BatchNorm2d | nn.MultiheadAttention | RelativePositionalMultiHeadAttention)


def traced(network: nn.Module) -> fx.GraphModule:
    """The network as a graph of operations."""
    return fx.GraphModule(network, Tracer().trace(network))


def node_of(graph: fx.Graph, name: str) -> fx.Node:
    """The node of this name, else the last one that the module of this name runs."""
    inside: list[fx.Node] = [n for n in graph.nodes if n.name == name or name in n.meta.get("nn_module_stack", {})]
    if not inside:
        raise ValueError(f"start {name!r}: the network runs no such module and no such operation")
    return next((n for n in inside if n.name == name), inside[-1])


class Walk(fx.Interpreter):
    """Common parts of the two walks: the module of a node, and its operation in one word."""

    def __init__(self, network: fx.GraphModule) -> None:
        super().__init__(network, garbage_collect_values=False)

    def module_of(self, node: fx.Node) -> Any:
        return self.fetch_attr(node.target) if node.op == "call_module" else None  # type: ignore[arg-type]

    def word(self, node: fx.Node) -> str:
        """Return the class of a module, or the name of a function or method."""
        if node.op == "call_module":
            return type(self.module_of(node)).__name__
        return node.target if isinstance(node.target, str) else node.target.__name__

    def attended(self, node: fx.Node, held: Tensor, affine: Callable[..., Any], alike: Callable[..., Any]) -> Any:
        """Return the result of self-attention with the weights of the value that is `held`."""
        (x, *args), kwargs = self.fetch_args_kwargs_from_env(node)
        layer = [self.module_of(node)] if node.op == "call_module" else []
        attended = ATTENTION[self.word(node)](*layer, held, *args, **kwargs)(x, affine, alike)
        return (attended, None) if self.word(node) == "MultiheadAttention" else attended


class Decomposing(Walk):
    """Runs a network on a value with parts."""

    def __init__(self, network: fx.GraphModule, rule: BiasRule) -> None:
        super().__init__(network)
        self._rule = rule

    def run_node(self, n: fx.Node) -> Any:
        args, kwargs = self.fetch_args_kwargs_from_env(n)
        if n.op == "output":
            return args[0]
        if not any(isinstance(leaf, Shared) for leaf in tree_leaves((args, kwargs))) or self._is_pick(n, args):
            return super().run_node(n)
        word = self.word(n)

        def operation(*args: Any, **kwargs: Any) -> Any:
            return getattr(self, n.op)(n.target, args, kwargs)

        match word:
            case _ if word in AFFINE:
                return AFFINE[word](*args, **kwargs, rule=self._rule)
            case "BatchNorm2d":
                return self._batch_norm(n, args[0])
            case _ if word in ATTENTION:
                affine = partial(pointwise, rule=self._rule)
                return self.attended(n, args[0].value, affine, alike)
            case _ if word in ACTIVATIONS:
                return activation(lambda x: operation(x, *args[1:], **kwargs), args[0], self._channels(n.args[0]))
            case "max_pool2d":
                return max_pool(*args, **kwargs)
            case "cat":
                return summed(operation, args[:1], *args[1:], **kwargs)
            case "add" | "iadd":
                return summed(operation, args, **kwargs)
            case _ if word in GATES | QUESTIONS:
                return operation(args[0].value, *args[1:], **kwargs)
            case _ if word in ALIKE and sum(isinstance(leaf, Shared) for leaf in tree_leaves(args)) == 1:
                return alike(operation, *args, **kwargs)
        raise NotImplementedError(f"{word} has no definition here")

    def _is_pick(self, node: fx.Node, args: tuple[Any, ...]) -> bool:
        """Whether one of several results is taken."""
        return self.word(node) == "getitem" and not isinstance(args[0], Shared)

    def _batch_norm(self, node: fx.Node, x: Shared) -> Shared:
        """Part of the convolution whose output it reads."""
        (before,), norm = node.all_input_nodes, self.module_of(node)
        if self.word(before) != "conv2d":
            return scaled(x, *scale_and_shift(norm), self._rule)
        (read, *args), kwargs = self.fetch_args_kwargs_from_env(before)
        return Convolution(*args, **kwargs).followed_by(norm)(read, self._rule)

    def _channels(self, node: Any) -> int:
        """The channel axis of what an activation reads: 1 above a convolution, the last one above a linear layer."""
        word = self.word(node)
        if word in {"conv2d", "BatchNorm2d"}:
            return 1
        if word in {"linear", "layer_norm"}:
            return -1
        if word in MOVES or not node.all_input_nodes:
            raise NotImplementedError(f"an activation above {word} has no definition here")
        return self._channels(node.all_input_nodes[0])


class Head(Walk):
    """Runs a network on a plain value; what the rules hold constant has no gradient, and the start is a leaf."""

    def __init__(self, network: fx.GraphModule, start: fx.Node) -> None:
        super().__init__(network)
        self._start = start
        self.leaf: Tensor

    def run_node(self, n: fx.Node) -> Any:
        result = self._held(n)
        if n is not self._start:
            return result
        self.leaf = result.detach().clone().requires_grad_()
        return self.leaf.clone()

    def _held(self, n: fx.Node) -> Any:
        args, kwargs = self.fetch_args_kwargs_from_env(n)
        match self.word(n):
            case "layer_norm":
                return self._layer_norm(*args, **kwargs)
            case word if word in ATTENTION:
                return self.attended(n, args[0].detach(), functional.linear, lambda function, x: function(x))
            case word if word in GATES:
                return super().run_node(n).detach()
        return super().run_node(n)

    @staticmethod
    def _layer_norm(x: Tensor, shape: tuple[int], weight: Tensor, bias: Tensor | None, eps: float) -> Tensor:
        unbiased = weight * inverse_deviation(x.detach(), eps) * (x - x.mean(-1, keepdim=True))
        return unbiased if bias is None else unbiased + bias


# The explanation.


@dataclass(frozen=True)
class ForwardSrd:
    """The saliency of each source, (n_sources,), and what it was summed from."""

    saliency: Tensor
    relevance: Tensor
    """Of each position of the start, in the order of its axes."""
    lost: float
    """Sum of the relevance less the sum of the saliency."""
    logits: Tensor


@dataclass(frozen=True)
class Start:
    """Where the head begins: `value` with the gradient of the target's logit, both (1, ...), and what supplies it."""

    value: Tensor
    gradient: Tensor
    logits: Tensor
    shared: Shared
    """The value with its parts; of an activation's output, the activation's input with its parts."""
    is_activation: bool
    channels: int

    def explained(self, contrast: Contrast) -> ForwardSrd:
        """sum_p R_p mu_s(p) at an activation, elsewhere sum_p <parts_s(x_p), g_p>.

        Contrast "mean" takes the mean over the positions from R; elsewhere than at an activation the difference is
        handed to the sources of x_p by their fractions.
        """
        plain = (self.value * self.gradient).sum(self.channels, keepdim=True)
        relevance = plain - plain.mean() if contrast == "mean" else plain
        shares = fractions(self.shared, self.channels)
        if self.is_activation:
            by_source = relevance * shares
        else:
            by_source = (self.shared.parts * self.gradient).sum(self.channels, keepdim=True)
            by_source = by_source + (relevance - plain) * shares
        saliency = by_source.flatten(1).sum(1)
        return ForwardSrd(saliency, relevance.flatten(), float(relevance.sum() - saliency.sum()), self.logits)


def forward_built(
    network: nn.Module,
    image: Tensor,
    target: int,
    start: str,
    *,
    channels: int = 1,
    bias: BiasRule = "norm",
    partition: Tensor | None = None,
) -> Start:
    """Runs a network in evaluation mode and float64 on one image (c, h, w).

    `start` is the output of the module or operation of this name, with its `channels` on that axis. `partition`,
    (h, w), numbers the source of each pixel; by default every pixel is one, row by row.
    """
    height, width = image.shape[1:]
    labels = torch.arange(height * width).reshape(height, width) if partition is None else partition
    whole = traced(network)
    node = node_of(whole.graph, start)
    head = Head(whole, node)
    logits = head.run(image[None])
    (gradient,) = torch.autograd.grad(logits[0, target], head.leaf)
    is_activation = head.word(node) in ACTIVATIONS
    below = _cut(whole, node.all_input_nodes[0] if is_activation else node)
    with torch.no_grad():
        shared = Decomposing(below, bias).run(source(image, labels))
    return Start(head.leaf.detach(), gradient, logits.detach()[0], shared, is_activation, channels)


def _cut(network: fx.GraphModule, last: fx.Node) -> fx.GraphModule:
    """The network up to this node."""
    for node in reversed(network.graph.nodes):
        if node is last:
            break
        network.graph.erase_node(node)
    network.graph.output(last)
    return fx.GraphModule(network, network.graph)
