"""Rules for torch functions that are affine maps of feature vectors: convolutions, linear layers and norms."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn import functional

from srd.affine import batch_norm_affine, convolution, transposed_convolution
from srd.calls import Call, CallResult
from srd.errors import UnsupportedOperation
from srd.operations import Function
from srd.precision import in_type
from srd.provenance import ConvolutionRecord, Provenance, Source, identity
from srd.rules import SharingRatio


class AffineCalls:
    """Runs calls of affine functions by the rules. Each method takes the arguments of its torch function."""

    def __init__(self, rules: SharingRatio, provenance: Provenance) -> None:
        self._rules = rules
        self._provenance = provenance

    def run(self, call: Call) -> CallResult | None:
        """Run the call and return its result if its function is an affine map, else return None."""
        known = _KNOWN.get(call.name)
        return known(self, call.function, *call.args, **call.kwargs) if known else None

    def _conv2d(
        self,
        function: Function,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: int | tuple[int, int] = 1,
        padding: int | str | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
    ) -> CallResult:
        if self._provenance.get(weight):
            raise UnsupportedOperation("torch.conv2d with a kernel that depends on the input")
        inputs, affine = convolution(input, weight, bias, stride, padding, dilation, groups)
        product = in_type(function, self._rules.products.network)
        convolve = partial(product, inputs, weight, bias, affine.stride, affine.padding, affine.dilation, groups)
        if not self._has_channels_on(1, input):
            return CallResult(convolve(), [input], unknown="torch.conv2d over axes that were moved")
        source = self._provenance[input].activated if inputs is input else None
        source = source or Source(inputs, identity)
        return self._run_convolution(input, ConvolutionRecord(affine, inputs, source, convolve), convolve)

    def _conv_transpose2d(
        self,
        function: Function,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        output_padding: int | tuple[int, int] = 0,
        groups: int = 1,
        dilation: int | tuple[int, int] = 1,
    ) -> CallResult:
        if self._provenance.get(weight):
            raise UnsupportedOperation("torch.conv_transpose2d with a kernel that depends on the input")
        geometry = stride, padding, output_padding, groups, dilation
        convolve = partial(in_type(function, self._rules.products.network), input, weight, bias, *geometry)
        if input.dim() != 4 or not self._has_channels_on(1, input):
            return CallResult(convolve(), [input], unknown="torch.conv_transpose2d over axes that were moved")
        inputs, affine = transposed_convolution(input, weight, bias, *geometry)
        return self._run_convolution(
            input, ConvolutionRecord(affine, inputs, Source(inputs, identity), convolve), convolve
        )

    def _batch_norm(
        self,
        function: Function,
        input: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> CallResult:
        if training or running_mean is None or running_var is None or not self._has_channels_on(1, input):
            name = "torch.nn.functional.batch_norm over the batch's own statistics or axes that were moved"
            result = function(input, running_mean, running_var, weight, bias, training, momentum, eps)
            return CallResult(result, [input], unknown=name)
        with torch.set_grad_enabled(self._rules.by_weights):  # without by_weights nothing is kept for gradients
            scale, shift = batch_norm_affine(running_mean, running_var, weight, bias, eps)
        convolved = self._provenance[input].convolved

        def normalise(x: Tensor) -> Tensor:
            normalised: Tensor = function(x, running_mean, running_var, weight, bias, False, momentum, eps)
            return normalised

        if convolved is None:
            outputs = self._rules.pointwise(shift, 1, input, normalise(input))
            return CallResult(outputs, [input], channels=(1,), is_affine=True)
        before, affine = convolved.plain, convolved.affine.followed_by(scale, shift)
        convolved = convolved._replace(affine=affine, plain=lambda: normalise(before()))
        return self._run_convolution(input, convolved, partial(normalise, input))._replace(continues=True)

    def _linear(self, function: Function, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> CallResult:
        if self._provenance.get(weight):
            raise UnsupportedOperation("torch.nn.functional.linear with weights that depend on the input")
        if not self._has_channels_on(input.dim() - 1, input):
            return CallResult(
                function(input, weight, bias), [input], unknown="torch.nn.functional.linear over positions"
            )
        outputs = self._rules.linear(function, input, weight, bias)
        return CallResult(outputs, [input], channels=(outputs.dim() - 1,), is_affine=True)

    def _layer_norm(
        self,
        function: Function,
        input: Tensor,
        normalized_shape: list[int],
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        eps: float = 1e-5,
    ) -> CallResult:
        if len(normalized_shape) > 1 or not self._has_channels_on(input.dim() - 1, input):
            result = function(input, normalized_shape, weight, bias, eps)
            return CallResult(result, [input], unknown="torch.nn.functional.layer_norm over positions")
        return self._pointwise(bias, -1, input, _scale_and_shift(self._normalise(input, (-1,), eps), weight, bias, -1))

    def _group_norm(
        self,
        function: Function,
        input: Tensor,
        num_groups: int,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        eps: float = 1e-5,
    ) -> CallResult:
        if not self._has_channels_on(1, input):
            result = function(input, num_groups, weight, bias, eps)
            return CallResult(result, [input], unknown="group norm over axes that were moved")
        grouped = input.unflatten(1, (num_groups, -1))
        normalised = self._normalise(grouped, tuple(range(2, grouped.dim())), eps).reshape(input.shape)
        return self._pointwise(bias, 1, input, _scale_and_shift(normalised, weight, bias, 1))

    def _instance_norm(
        self,
        function: Function,
        input: Tensor,
        running_mean: Tensor | None = None,
        running_var: Tensor | None = None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        use_input_stats: bool = True,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> CallResult:
        if not use_input_stats:
            return self._batch_norm(functional.batch_norm, input, running_mean, running_var, weight, bias, eps=eps)
        return self._group_norm(functional.group_norm, input, input.shape[1], weight, bias, eps)

    def _run_convolution(
        self, input: Tensor, convolved: ConvolutionRecord, outputs: Callable[[], Tensor]
    ) -> CallResult:
        outputs = convolved.plain if self._rules.differentiates(*convolved.affine.parameters) else outputs
        result = self._rules.affine(convolved.affine, outputs, convolved.inputs, convolved.source)
        return CallResult(result, [input], channels=(1,), is_affine=True, convolved=convolved)

    def _pointwise(self, bias: Tensor | None, axis: int, inputs: Tensor, plain: Tensor) -> CallResult:
        axis %= plain.dim()
        outputs = plain if bias is None else self._rules.pointwise(bias, axis, inputs, plain)
        return CallResult(outputs, [inputs], channels=(axis,), is_affine=True)

    def _normalise(self, input: Tensor, axes: tuple[int, ...], eps: float) -> Tensor:
        """Return the input with mean 0 and variance 1 over the axes, where the deviation is held constant."""
        centred = input - input.mean(axes, keepdim=True)
        return centred * self._rules.hold_constant((centred.square().mean(axes, keepdim=True) + eps).rsqrt())

    def _has_channels_on(self, axis: int, input: Tensor) -> bool:
        """Return whether the channels are known to lie on no other axis."""
        record = self._provenance.get(input)
        return record is None or record.channels is None or set(record.channels) <= {axis}


def _scale_and_shift(normalised: Tensor, weight: Tensor | None, bias: Tensor | None, axis: int) -> Tensor:
    """Multiply each channel by the weight and add the bias."""
    shape = [-1] + [1] * (normalised.dim() - 1 - axis % normalised.dim())
    if weight is None:
        return normalised if bias is None else normalised + bias.reshape(shape)
    weight = weight.reshape(shape)
    return normalised * weight if bias is None else torch.addcmul(bias.reshape(shape), normalised, weight)


_KNOWN: Mapping[str, Callable[..., CallResult]] = MappingProxyType(
    {
        "conv2d": AffineCalls._conv2d,
        "conv_transpose2d": AffineCalls._conv_transpose2d,
        "batch_norm": AffineCalls._batch_norm,
        "linear": AffineCalls._linear,
        "layer_norm": AffineCalls._layer_norm,
        "group_norm": AffineCalls._group_norm,
        "instance_norm": AffineCalls._instance_norm,
    }
)
