"""Convolutions by constant weights: linear maps that are differentiable any number of times by what they read.

Torch differentiates the gradient of a convolution by its weight as well, even where the weight is constant: a product
of the size of a convolution, which nobody reads. These functions leave it out, and their results are torch's to the
bit.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

Pair = tuple[int, int]
Geometry = tuple[Pair, Pair, Pair, bool, Pair, int]
"""Stride, padding, dilation, whether it is transposed, output padding, groups."""

Unread = tuple[tuple[int, ...], tuple[int, ...]]
"""Shape and strides of a tensor whose values are not read."""


def geometry_of(stride: Pair, padding: Pair, dilation: Pair, groups: int) -> Geometry:
    """Return what torch is told of a convolution that is not transposed."""
    return stride, padding, dilation, False, (0, 0), groups


def pull_back(gradient: Tensor, weight: Tensor, geometry: Geometry, inputs: Unread) -> Tensor:
    """Return W^T g, in the shape of the inputs of a convolution. Gradients reach W where it is a variable."""
    if not weight.requires_grad:
        return TransposedConvolution.apply(gradient, weight, geometry, inputs)  # type: ignore[no-any-return]
    return _transpose(gradient, weight, geometry, inputs)


class ConstantConvolution(Function):
    """The outputs W x + b of a convolution, for constant W and b."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
        ctx.weight, ctx.geometry, ctx.inputs = weight, geometry, (inputs.shape, inputs.stride())
        outputs: Tensor = torch.ops.aten.convolution.default(inputs, weight, bias, *geometry)
        return outputs

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        return TransposedConvolution.apply(gradients[0], ctx.weight, ctx.geometry, ctx.inputs), None, None, None


class TransposedConvolution(Function):
    """W^T g, in the shape of the inputs of a convolution, for a gradient g at its outputs and a constant W."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, weight: Tensor, geometry: Geometry, inputs: Unread) -> Tensor:
        ctx.weight, ctx.geometry = weight, geometry
        return _transpose(gradient, weight, geometry, inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        return ConstantConvolution.apply(gradients[0], ctx.weight, None, ctx.geometry), None, None, None


def _transpose(gradient: Tensor, weight: Tensor, geometry: Geometry, inputs: Unread) -> Tensor:
    pulled: Tensor = torch.ops.aten.convolution_backward.default(
        gradient, stand_in(gradient, inputs), weight, None, *geometry, (True, False, False)
    )[0]
    return pulled


def stand_in(like: Tensor, unread: Unread) -> Tensor:
    """Return a tensor of which only the shape is read.

    It uses memory that exists already, if there is enough of it.
    """
    shape, strides = unread
    extent = 1 + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if like.is_contiguous() and extent <= like.numel():
        return like.detach().as_strided(shape, strides)
    return like.new_empty_strided(shape, strides)
