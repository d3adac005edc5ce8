"""Layers with constant weights, in forms that cost less where gradients are differentiated again."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from srd.affine import batch_norm_affine, pair
from srd.convolutions import ConstantConvolution, Pair, geometry_of
from srd.operations import Arguments, Function, Keywords


class constant_layers(TorchFunctionMode):  # noqa: N801  a context manager, used as a verb
    """Context in which convolutions and norms with constant weights cost less to differentiate twice.

    Convolutions are the same to the bit. A batch norm in evaluation mode is one product and one sum for each number,
    which rounds otherwise. Layers whose weights are variables, and norms of half precision, stay as they are.
    """

    def __torch_function__(
        self, func: Function, types: object, args: Arguments = (), kwargs: Keywords | None = None
    ) -> Any:
        layer = _LAYERS.get(func)
        return func(*args, **(kwargs or {})) if layer is None else layer(*args, **(kwargs or {}))


def _convolve(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Pair = 1,
    padding: int | str | Pair = 0,
    dilation: int | Pair = 1,
    groups: int = 1,
) -> Tensor:
    if isinstance(padding, str) or input.dim() != 4 or not _are_constant(weight, bias):
        return functional.conv2d(input, weight, bias, stride, padding, dilation, groups)
    geometry = geometry_of(pair(stride), pair(padding), pair(dilation), groups)
    return ConstantConvolution.apply(input, weight, bias, geometry)  # type: ignore[no-any-return]


def _normalise(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    statistics = running_mean, running_var, weight, bias
    if training or running_mean is None or running_var is None or not _are_exact(input, *statistics):
        return functional.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)
    shape = [-1] + [1] * (input.dim() - 2)
    scale, shift = (each.reshape(shape) for each in batch_norm_affine(running_mean, running_var, weight, bias, eps))
    return torch.addcmul(shift, input, scale)


def _are_constant(*weights: Tensor | None) -> bool:
    return not any(weight is not None and weight.requires_grad for weight in weights)


def _are_exact(input: Tensor, *weights: Tensor | None) -> bool:
    """Return whether a product and a sum do as well: torch computes norms of half precision in single precision."""
    one_type = {tensor.dtype for tensor in (input, *weights) if tensor is not None} <= {input.dtype}
    return one_type and input.dtype in {torch.float32, torch.float64} and _are_constant(*weights)


_LAYERS: Mapping[Function, Callable[..., Tensor]] = MappingProxyType(
    {functional.conv2d: _convolve, functional.batch_norm: _normalise}
)
