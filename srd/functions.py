"""Operations with a replaced backward pass, or with one that keeps less than autograd's own.

Of an activation only the input is kept, of a convolution and a max pooling not even that. The rest is computed again
when it is needed.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional

from srd.affine import Affine
from srd.convolutions import Pair, stand_in
from srd.precision import Products, in_type

Elementwise = Callable[[Tensor], Tensor]
Rule = Callable[..., tuple[Tensor | None, ...]]
"""(gradient at the outputs, saved tensors) -> gradients at the outputs and at each saved tensor."""


class ReplacedBackward(Function):
    """Identity on `outputs` with a replaced backward pass, which is itself differentiable by the saved tensors."""

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
    """Another tensor on the same memory. Unlike a view, it does not keep the first tensor alive."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        return tensor.detach()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0]


class HeldConstant(Function):
    """Identity whose backward pass is 0 while `is_held` returns true."""

    @staticmethod
    def forward(ctx: Any, is_held: Callable[[], bool], tensor: Tensor) -> Tensor:
        ctx.is_held = is_held
        return tensor.view_as(tensor)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor | None]:
        return None, None if ctx.is_held() else gradients[0]


class Activation(Function):
    """phi(X), and a tensor whose gradient is the bias relevance that convolutions send straight to positions of phi(X).

    Nobody reads the values of the second tensor. The backward pass is `rule` of (X, gradient, bias relevance or None).
    It is the ordinary one where the rule returns None.
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
        if gradient is None:  # bias relevance never comes without a gradient
            return None, None, None, None
        (before,) = ctx.saved_tensors
        ruled = ctx.rule(before, gradient, received)
        return None, None, pull_back(ctx.phi, before, gradient) if ruled is None else ruled, None


Keeps = Literal["outputs", "source", "nothing"]
ScaledVectors = tuple[Tensor, Tensor]
"""Vectors, and a factor for each of their positions."""


class GradientShare(NamedTuple):
    """Where a gradient at the outputs of an affine map goes."""

    gradient: Tensor
    """Part that is pulled back to the inputs."""
    added: ScaledVectors | None = None
    """Vectors that are added to the pulled-back gradient."""
    bias_relevance: Tensor | None = None
    """Relevance of each position that goes to the activation that made the inputs."""


class AffineRule(NamedTuple):
    """How a gradient at the outputs of an affine map is shared."""

    keeps: Keeps
    of: Callable[[Tensor, Tensor | None], GradientShare]
    """(gradient, saved tensor) -> where the gradient goes."""
    dtype: torch.dtype | None = None
    """Type in which the gradient is pulled back."""


class Convolution(Function):
    """The `outputs` of an affine map of `inputs`, which are phi of a `source`.

    If an activation made the inputs, `bias_relevance` is the second result of this activation.
    """

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
        ctx.inputs = inputs.shape, inputs.stride()
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
        pulled = in_type(lambda g: ctx.affine.apply_transpose(g, ctx.inputs), ctx.rule.dtype)(gradient)
        return None, None, None, pulled if added is None else pulled.addcmul_(*added), None, bias_relevance


class Linear(Function):
    """A linear layer that multiplies in other types. The weight is taken as constant."""

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
    """The inputs that a max pooling reads for each of its outputs."""

    kernel: int | Pair
    stride: int | Pair
    padding: int | Pair
    dilation: int | Pair
    ceil_mode: bool


class MaxPool(Function):
    """Max pooling that saves the places of its maxima."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, windows: Windows) -> Tensor:
        ctx.windows = windows
        ctx.inputs = inputs.shape, inputs.stride()
        result, indices = functional.max_pool2d(inputs, *windows, return_indices=True)
        ctx.save_for_backward(indices)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (indices,) = ctx.saved_tensors
        inputs = stand_in(gradients[0], ctx.inputs)
        return torch.ops.aten.max_pool2d_with_indices_backward.default(
            gradients[0], inputs, *ctx.windows, indices
        ), None


def pull_back(phi: Elementwise, before: Tensor, gradient: Tensor) -> Tensor:
    """Return the `gradient` at phi(X) pulled back to X. It is part of the graph where gradients are on."""
    create_graph = torch.is_grad_enabled()
    with torch.enable_grad():
        at = before if create_graph else before.detach().requires_grad_()
        (pulled,) = torch.autograd.grad(phi(at), at, gradient, create_graph=create_graph)
    return pulled
