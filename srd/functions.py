"""Operations whose backward pass is replaced while relevance is propagated, or keeps less than autograd's own.

Of an activation only what it reads is kept, of a convolution and of a max pooling not even that: what is needed again
is computed again.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional

from srd.affine import Affine, Pair
from srd.precision import Products, in_type

Elementwise = Callable[[Tensor], Tensor]
Rule = Callable[..., tuple[Tensor | None, ...]]
"""(gradient at the outputs, what was kept) -> gradients at the outputs and at each tensor that was kept."""


class ReplacedBackward(Function):
    """Identity on `outputs` with a replaceable backward, which is itself differentiable by what it has `kept`."""

    @staticmethod
    def forward(ctx: Any, rule: Rule, outputs: Tensor, *kept: Tensor | None) -> Tensor:
        ctx.rule = rule
        ctx.save_for_backward(*kept)
        ctx.set_materialize_grads(False)
        return outputs.view_as(outputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        if gradient is None:
            return (None,) * (2 + len(ctx.saved_tensors))
        return (None, *ctx.rule(gradient, *ctx.saved_tensors))


class Alias(Function):
    """Another tensor of the same memory, which does not keep the first one alive as a view would."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        return tensor.detach()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0]


class HeldConstant(Function):
    """Identity whose backward is 0 while `is_held` says so."""

    @staticmethod
    def forward(ctx: Any, is_held: Callable[[], bool], tensor: Tensor) -> Tensor:
        ctx.is_held = is_held
        return tensor.view_as(tensor)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor | None]:
        return None, None if ctx.is_held() else gradients[0]


class Activation(Function):
    """phi(X), and an bias_relevance: what has for gradient the relevance that convolutions hand straight to positions of phi(X).

    Nobody reads its values. The backward is `rule` of (X, gradient, relevance handed there or None), or the ordinary
    one where that is None.
    """

    @staticmethod
    def forward(
        ctx: Any,
        rule: Callable[[Tensor, Tensor, Tensor | None], Tensor | None],
        phi: Elementwise,
        before: Tensor,
        shape: tuple[int, ...],
    ) -> tuple[Tensor, Tensor]:
        ctx.rule, ctx.phi = rule, phi
        ctx.save_for_backward(before)
        ctx.set_materialize_grads(False)
        return phi(before), before.new_empty(shape)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[None, None, Tensor | None, None]:
        gradient, received = gradients
        if gradient is None:  # nor was anything handed, which comes with a gradient
            return None, None, None, None
        (before,) = ctx.saved_tensors
        ruled = ctx.rule(before, gradient, received)
        return None, None, pull_back(ctx.phi, before, gradient) if ruled is None else ruled, None


Keeps = Literal["outputs", "source", "nothing"]
ScaledVectors = tuple[Tensor, Tensor]
"""Vectors, and a factor for each of their positions."""


class GradientShare(NamedTuple):
    """What becomes of a gradient at the outputs of an affine map."""

    gradient: Tensor
    """To be pulled back to the inputs."""
    added: ScaledVectors | None = None
    """To what is pulled back."""
    bias_relevance: Tensor | None = None
    """Relevance of each position, to the activation that made the inputs."""


class AffineRule(NamedTuple):
    """What to do with a gradient at the outputs of an affine map."""

    keeps: Keeps
    of: Callable[[Tensor, Tensor | None], GradientShare]
    """(gradient, what was kept) -> where it goes."""
    dtype: torch.dtype | None = None
    """In which to pull back."""


class Convolution(Function):
    """The `outputs` of an affine map of `inputs`, which are made of a `source`, by an activation with an `bias_relevance`."""

    @staticmethod
    def forward(
        ctx: Any,
        rule: AffineRule,
        affine: Affine,
        outputs: Callable[[], Tensor],
        inputs: Tensor,
        source: Tensor,
        bias_relevance: Tensor | None,
    ) -> Tensor:
        ctx.rule, ctx.affine = rule, affine
        ctx.shape, ctx.strides = inputs.shape, inputs.stride()
        result = outputs()
        ctx.save_for_backward({"outputs": result, "source": source, "nothing": None}[rule.keeps])
        ctx.set_materialize_grads(False)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        (gradient,), (kept,) = gradients, ctx.saved_tensors
        if gradient is None:
            return (None,) * 6
        gradient, added, bias_relevance = ctx.rule.of(gradient, kept)
        pulled = in_type(lambda g: ctx.affine.apply_transpose(g, _unread(g, ctx)), ctx.rule.dtype)(gradient)
        return None, None, None, pulled if added is None else pulled.addcmul_(*added), None, bias_relevance


class Linear(Function):
    """A linear layer that multiplies in other types; the weight is taken for constant."""

    @staticmethod
    def forward(
        ctx: Any,
        products: Products,
        function: Callable[..., Tensor],
        inputs: Tensor,
        weight: Tensor,
        bias: Tensor | None,
    ) -> Tensor:
        ctx.dtype, ctx.weight = products.relevance, weight.detach()
        return in_type(function, products.network)(inputs, weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, in_type(torch.matmul, ctx.dtype)(gradients[0], ctx.weight), None, None


class Windows(NamedTuple):
    """Which inputs a max pooling reads for each of its outputs."""

    kernel: int | Pair
    stride: int | Pair
    padding: int | Pair
    dilation: int | Pair
    ceil_mode: bool


class MaxPool(Function):
    """Max pooling that keeps where its maxima were."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, windows: Windows) -> Tensor:
        ctx.windows = windows
        ctx.shape, ctx.strides = inputs.shape, inputs.stride()
        result, indices = functional.max_pool2d(inputs, *windows, return_indices=True)
        ctx.save_for_backward(indices)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (indices,) = ctx.saved_tensors
        inputs = _unread(gradients[0], ctx)
        return torch.ops.aten.max_pool2d_with_indices_backward.default(
            gradients[0], inputs, *ctx.windows, indices
        ), None


def pull_back(phi: Elementwise, before: Tensor, gradient: Tensor) -> Tensor:
    """`gradient` at phi(X), at X; part of the graph where gradients are on."""
    create_graph = torch.is_grad_enabled()
    with torch.enable_grad():
        at = before if create_graph else before.detach().requires_grad_()
        (pulled,) = torch.autograd.grad(phi(at), at, gradient, create_graph=create_graph)
    return pulled


def _unread(like: Tensor, ctx: Any) -> Tensor:
    """In place of inputs of which no more than the shape is read; of memory that is there already, if it is enough."""
    extent = 1 + sum((size - 1) * stride for size, stride in zip(ctx.shape, ctx.strides, strict=True))
    if like.is_contiguous() and extent <= like.numel():
        return like.detach().as_strided(ctx.shape, ctx.strides)
    return like.new_empty_strided(ctx.shape, ctx.strides)
