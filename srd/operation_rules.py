"""Which rule of relevance an operation has: affine map, activation, weighting, or none."""

from collections.abc import Mapping, Sequence
from functools import partial
from math import prod
from typing import Any

import torch
from torch import Tensor

from srd import operations
from srd.affine_calls import AffineCalls
from srd.calls import Call, CallResult
from srd.convolutions import Pair
from srd.entries import DeclaredRule
from srd.functions import Windows
from srd.provenance import Provenance, Source, tensors
from srd.resampling import ResamplingCalls
from srd.rules import SharingRatio
from srd.vectors import Channels, channels_after, channels_after_repeat
from srd.written_out import WrittenOut

IMAGE_AXES = 4
"""Rows, channels, and two axes of positions."""


class OperationRules:
    """Runs calls as the rules of their operations say."""

    def __init__(self, rules: SharingRatio, provenance: Provenance, declared: Mapping[str, DeclaredRule]) -> None:
        self._rules = rules
        self._provenance = provenance
        self._declared = declared
        self._affine = AffineCalls(rules, provenance)
        self._resampling = ResamplingCalls(rules, provenance)
        self._written_out = WrittenOut(provenance)

    def run(self, call: Call) -> CallResult:
        """Run a call, and return its result with facts about it."""
        if not torch.is_grad_enabled():
            return self._unknown(call, f"{call.full_name} where gradients are off")
        declared = self._declared.get(call.full_name) if self._declared else None
        made = self._run_by_name(call) if declared is None else self._by_declaration(call, declared)
        return made if made.activated else made._replace(steps=self._written_out.steps(call, made.result))

    def _run_by_name(self, call: Call) -> CallResult:
        if call.name in operations.ACTIVATIONS:
            return self._activation(call)
        if _is_selection(call):
            return self._selection(call)
        if self._is_linear(call):
            return self._write(call) if call.name in operations.WRITES else self._linear(call)
        if call.name in operations.BILINEAR:
            return self._bilinear(call)
        is_weight = call.name in operations.WEIGHTS
        made = self._affine.run(call) or self._resampling.run(call)
        return made or self._unknown(call, call.full_name, is_weight=is_weight)

    def _by_declaration(self, call: Call, rule: DeclaredRule) -> CallResult:
        """Run a call by a rule that may be another than the one that is known here."""
        made = self._by_its_rule(call, rule)
        return made._replace(unknown=made.unknown and f"{made.unknown} (declared {rule!r})")

    def _by_its_rule(self, call: Call, rule: DeclaredRule) -> CallResult:
        if rule == "activation":
            return self._activation(call)
        if rule == "linear":
            return self._linear(call) if self._is_linear(call) else self._declared_linear(call)
        return self._unknown(call, call.full_name, is_weight=True)._replace(may_be_activation=False)

    def _unknown(self, call: Call, name: str, *, is_weight: bool = False) -> CallResult:
        result = call()
        channels = self._channels(call, result) if isinstance(result, Tensor) else None
        return CallResult(
            result,
            call.carried,
            channels=channels,
            unknown=name,
            may_be_activation=not (self._mixes(call, result) and torch.is_grad_enabled()),
            is_weight=is_weight,
        )

    def _mixes(self, call: Call, result: object) -> bool:
        """Return whether a call without a rule mixes positions or channels, so that it is no activation."""
        if call.name in operations.REDUCTIONS:
            return isinstance(result, Tensor) and result.numel() < call.carried[0].numel()
        if call.name not in operations.EXTREMES_OF_AXES:
            return call.name in operations.MIXTURES
        record, (images, *_) = self._provenance[call.carried[0]], call.carried
        if images.dim() != IMAGE_AXES or record.channels is None or not isinstance(result, Tensor):
            return False
        return result.numel() == prod(images.shape[axis] for axis in (0, *record.channels))

    def _selection(self, call: Call) -> CallResult:
        """Run a call that chooses elements: by a constant mask it is linear, by the features an activation."""
        if call.name in operations.SELECTIONS and all(tensor.dtype != torch.bool for tensor in call.carried):
            return self._declared_linear(call)
        return self._activation_of_several(call)

    def _activation_of_several(self, call: Call) -> CallResult:
        """Run a call that is an activation if all that it reads is made of one tensor, element by element."""
        source = self._written_out.source(call)
        if source is None:
            return self._unknown(call, call.full_name)
        return self._run_activation(call, source, self._provenance[source.before].channels or ())

    def _activation(self, call: Call) -> CallResult:
        if call.name in operations.COMMUTATIVE and len(call.carried) > 1:
            return self._activation_of_several(call)
        if len(call.carried) > 1 or (
            call.name not in operations.COMMUTATIVE and call.carried[0] is not call.operands[0]
        ):
            return self._unknown(call, call.full_name)
        before = call.carried[0]
        record = self._provenance[before]
        is_weight = call.name in operations.WEIGHTS
        if record.channels is None:
            return self._unknown(call, f"{call.full_name} on axes that were moved", is_weight=is_weight)
        if any(_differs_between_positions(call.name, other, before, record.channels) for other in call.operands):
            return self._by_numbers_of_positions(call)._replace(is_weight=is_weight)
        return self._run_activation(call, Source(before, call.of(before)), record.channels)._replace(
            is_weight=is_weight
        )

    def _by_numbers_of_positions(self, call: Call) -> CallResult:
        """Run an activation that reads a constant for each position, which may be the same for all."""
        source = self._written_out.source(call)
        if source is None:
            return self._unknown(call, f"{call.full_name} by numbers that differ between positions")
        return self._run_activation(call, source, self._provenance[source.before].channels or ())

    def _run_activation(self, call: Call, source: Source, channels: tuple[int, ...]) -> CallResult:
        after, bias_relevance = self._rules.activation(source.phi, source.before, channels)
        return CallResult(
            after, [source.before], channels=channels, activated=source._replace(bias_relevance=bias_relevance)
        )

    def _is_linear(self, call: Call) -> bool:
        if call.name in operations.IDENTITY_IN_EVALUATION:
            return not (call.args[2] if len(call.args) > 2 else call.kwargs.get("training", True))
        return call.name in operations.LINEAR

    def _linear(self, call: Call) -> CallResult:
        result = self._pool(call) if call.name.startswith("max_pool2d") else call()
        if isinstance(result, Tensor) and self._adds_constant(call):
            result = self._rules.constant(result, partial(self._constant_part, call))
        made = self._of_linear(call, result)
        return made._replace(may_be_activation=self._pools_over_moved_axes(call))

    def _pools_over_moved_axes(self, call: Call) -> bool:
        """Return whether a call pools over axes that were moved: of x and 0 side by side, the larger one is an ReLU."""
        images = call.carried[0]
        channels = self._provenance[images].channels
        return call.name in operations.POOLINGS_BY_SIZE and channels != (images.dim() - 3,)

    def _write(self, call: Call) -> CallResult:
        """Run a call that writes into a tensor, at places that do not depend on features."""
        target, *places, value = call.args
        written = [tensor for tensor in (target, value) if isinstance(tensor, Tensor)]
        axes = {self._provenance[each].channels for each in call.carried if each.dim() == target.dim()}
        if self._provenance.carriers(tensors(places)) or len(axes) > 1:
            return self._unknown(call, call.full_name)
        made = self._linear(call._replace(carried=self._provenance.carriers(written)))
        return made._replace(channels=next(iter(axes), None))

    def _declared_linear(self, call: Call) -> CallResult:
        """Run a call that may have a bias, of which nothing is known; it is linear in what it reads beside weights."""
        call = self._holding_weights(call, self._features(call) or call.carried)
        result = call()
        if isinstance(result, Tensor):
            result = self._rules.constant(result, partial(self._constant_part, call))
        return self._of_linear(call, result)

    def _of_linear(self, call: Call, result: Any) -> CallResult:
        return CallResult(
            result,
            call.carried,
            channels=self._channels(call, result),
            is_weight=all(self._provenance[tensor].is_weight for tensor in call.carried),
        )

    def _pool(self, call: Call) -> Any:
        """Run max pooling, which may return the places of the maxima as well."""
        maxima = self._max_pool(*call.args, **call.kwargs)
        return maxima if call.name == "max_pool2d" else (maxima, call()[1])

    def _max_pool(
        self,
        input: Tensor,
        kernel_size: int | Pair,
        stride: int | Pair | None = None,
        padding: int | Pair = 0,
        dilation: int | Pair = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Tensor:
        return self._rules.max_pool(input, Windows(kernel_size, stride or kernel_size, padding, dilation, ceil_mode))

    def _bilinear(self, call: Call) -> CallResult:
        gated = self._gated_by_itself(call)
        if gated is not None:
            return self._run_self_gate(call, *gated)
        features = self._features(call) if len(call.carried) > 1 else call.carried
        if len(features) != 1 or not self._is_numerator(call, features[0]):
            return self._written_out_product(call)
        return self._linear(self._holding_weights(call, features))

    def _written_out_product(self, call: Call) -> CallResult:
        """Run a product, or quotient, of two functions of the same features, or of weights alone."""
        if not self._features(call):
            return self._unknown(call, call.full_name, is_weight=True)
        if call.name in operations.MATRIX_PRODUCTS or len({id(tensor) for tensor in call.carried}) < 2:
            return self._unknown(call, call.full_name)
        return self._activation_of_several(call)

    def _features(self, call: Call) -> list[Tensor]:
        """Return what a call reads that is no weight of a gate or of attention."""
        return [tensor for tensor in call.carried if not self._provenance[tensor].is_weight]

    def _holding_weights(self, call: Call, features: Sequence[Tensor]) -> Call:
        """Return the call in which all that is not among the features is held constant."""
        held = {id(t): self._rules.hold_constant(t) for t in call.carried if all(t is not f for f in features)}
        return call.replacing(held, features) if held else call

    def _is_numerator(self, call: Call, features: Tensor) -> bool:
        if call.name not in operations.DIVISIONS:
            return True
        return call.operands[0] is features and call.kwargs.get("rounding_mode") is None

    def _gated_by_itself(self, call: Call) -> tuple[Tensor, Tensor] | None:
        """Return x and sigmoid(x) if the call is x * sigmoid(x)."""
        if call.name not in operations.PRODUCTS or len(call.carried) != 2:
            return None
        for features, weight in (call.carried, call.carried[::-1]):
            made = self._provenance[weight]
            if made.is_weight and made.activated and made.activated.before is features:
                return features, weight
        return None

    def _run_self_gate(self, call: Call, before: Tensor, weight: Tensor) -> CallResult:
        channels = self._provenance[before].channels
        gate = self._provenance[weight].activated
        if channels is None or gate is None:
            return self._unknown(call, f"{call.full_name} on axes that were moved")

        multiply, weigh = call.function, gate.phi

        def phi(x: Tensor) -> Tensor:
            product: Tensor = multiply(x, weigh(x))
            return product

        return self._run_activation(call, Source(before, operations.under_these_modes(phi)), channels)

    def _channels(self, call: Call, result: object) -> Channels:
        before = max(call.carried, key=Tensor.dim)
        channels = self._provenance[before].channels
        if call.name in operations.REARRANGING:
            channels = channels_after(call.function, call.args, call.kwargs, before, channels)
        elif call.name.endswith("_with_indices"):
            return channels
        elif not isinstance(result, Tensor) or result.dim() != before.dim():
            return None
        return channels_after_repeat(before, result) if channels == () and isinstance(result, Tensor) else channels

    def _adds_constant(self, call: Call) -> bool:
        if call.name == "pad":
            return bool((call.args[3] if len(call.args) > 3 else call.kwargs.get("value")) or 0)
        if call.name in operations.WRITES:
            return len(call.carried) < 2
        if call.name in operations.JOINS:
            return len(call.operands) > len(call.carried)
        operands = (*call.args, *call.kwargs.values())[:2]
        return call.name in operations.SUMS and len(self._provenance.carriers(tensors(operands))) < 2

    def _constant_part(self, call: Call) -> Tensor:
        """Return the result with zeros for all that carries relevance: the constants that are added, joined or padded.

        No pixel is their source.
        """
        zeros = {id(tensor): torch.zeros_like(tensor) for tensor in call.carried}
        part: Tensor = call.replacing(zeros, [])().detach()
        return part


def _is_selection(call: Call) -> bool:
    """Return whether the call chooses each element from two numbers, by a mask or by their size."""
    if call.name in operations.EXTREMES:
        return len(call.operands) == 2
    return call.name in operations.SELECTIONS and len(call.args) + len(call.kwargs) == 3


def _differs_between_positions(name: str, operand: Tensor, before: Tensor, channels: tuple[int, ...]) -> bool:
    """Return whether an operand that an activation reads beside `before` differs between positions."""
    if operand is before or name == "prelu":  # whose numbers are of channels
        return False
    axes = range(before.dim() - operand.dim(), before.dim())
    return any(axis not in channels and size > 1 for axis, size in zip(axes, operand.shape, strict=True))
