"""What an operation means for relevance: an affine map, an activation, a weighting, or something without a rule."""

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

from srd import operations
from srd.affine import Affine
from srd.affine_calls import AffineCalls, AffineRules
from srd.calls import Call, Made
from srd.entries import Meaning
from srd.provenance import Provenance
from srd.vectors import Channels, moved


class Rules(AffineRules, Protocol):
    """What to make of the output of an operation."""

    def activation(self, before: Tensor, after: Tensor, channels: tuple[int, ...]) -> Tensor:
        """What stands for `after` = phi(`before`)."""
        ...

    def constant(self, outputs: Tensor, constant: Tensor) -> Tensor:
        """What stands for `outputs`, of which `constant` does not depend on the network's inputs."""
        ...


class NoRules:
    """Leaves every operation as it is: the ordinary gradient."""

    def activation(self, before: Tensor, after: Tensor, channels: tuple[int, ...]) -> Tensor:
        return after

    def affine(self, affine: Affine, inputs: Tensor, outputs: Tensor) -> Tensor:
        return outputs

    def pointwise(self, bias: Tensor, axis: int, inputs: Tensor, outputs: Tensor) -> Tensor:
        return outputs

    def constant(self, outputs: Tensor, constant: Tensor) -> Tensor:
        return outputs

    def held(self, tensor: Tensor) -> Tensor:
        return tensor


class Meanings:
    """Runs calls as the rules would have them run."""

    def __init__(self, rules: Rules, provenance: Provenance, declared: Mapping[str, Meaning]) -> None:
        self._rules = rules
        self._provenance = provenance
        self._declared = declared
        self._affine = AffineCalls(rules, provenance)

    def made(self, call: Call) -> Made:
        """The result of a call and what is known of it."""
        if not torch.is_grad_enabled():
            return self._unknown(call, f"{call.full_name} where gradients are off")
        declared = self._declared.get(call.full_name) if self._declared else None
        if declared == "activation" or call.name in operations.ACTIVATIONS:
            return self._activation(call)
        if declared == "linear" or self._is_linear(call):
            return self._linear(call)
        if call.name in operations.BILINEAR:
            return self._bilinear(call)
        return self._affine.made(call) or self._unknown(
            call, call.full_name, is_weight=declared == "gate" or call.name in operations.WEIGHTS
        )

    def _unknown(self, call: Call, name: str, *, is_weight: bool = False) -> Made:
        result = call()
        channels = self._channels(call, result) if isinstance(result, Tensor) else None
        return Made(result=result, sources=call.carried, channels=channels, unknown=name, is_weight=is_weight)

    def _activation(self, call: Call) -> Made:
        before = call.operands[0]
        record = self._provenance.get(before)
        if record is None or len(call.carried) > 1:
            return self._unknown(call, call.full_name)
        is_weight = call.name in operations.WEIGHTS
        if record.channels is None:
            return self._unknown(call, f"{call.full_name} on axes that were moved", is_weight=is_weight)
        after = self._rules.activation(before, call(), record.channels)
        return Made(
            result=after,
            sources=call.carried,
            channels=record.channels,
            before=before,
            is_weight=is_weight,
            weight_of=before if is_weight else None,
        )

    def _is_linear(self, call: Call) -> bool:
        if call.name in operations.IDENTITY_IN_EVALUATION:
            return not (call.args[2] if len(call.args) > 2 else call.kwargs.get("training", True))
        return call.name in operations.LINEAR

    def _linear(self, call: Call) -> Made:
        result = call()
        if isinstance(result, Tensor) and self._adds_constant(call):
            result = self._rules.constant(result, self._constant_part(call))
        return Made(
            result=result,
            sources=call.carried,
            channels=self._channels(call, result),
            is_weight=all(self._provenance[tensor].is_weight for tensor in call.carried),
        )

    def _bilinear(self, call: Call) -> Made:
        before = self._gated_by_itself(call)
        if before is not None:
            return self._self_gated(call, before)
        weights = {id(tensor) for tensor in call.carried if self._provenance[tensor].is_weight}
        features = (
            [tensor for tensor in call.carried if id(tensor) not in weights] if len(call.carried) > 1 else call.carried
        )
        if len(features) != 1 or not self._is_numerator(call, features[0]):
            return self._unknown(call, call.full_name)
        held = {id(t): self._rules.held(t) for t in call.carried if t is not features[0]}
        return self._linear(call.replacing(held, features))

    def _is_numerator(self, call: Call, features: Tensor) -> bool:
        if call.name not in operations.DIVISIONS:
            return True
        return call.operands[0] is features and call.kwargs.get("rounding_mode") is None

    def _gated_by_itself(self, call: Call) -> Tensor | None:
        """x of x * sigmoid(x)."""
        if call.name not in operations.PRODUCTS or len(call.carried) != 2:
            return None
        for features, weight in (call.carried, call.carried[::-1]):
            if self._provenance[weight].weight_of is features:
                return features
        return None

    def _self_gated(self, call: Call, before: Tensor) -> Made:
        channels = self._provenance[before].channels
        if channels is None:
            return self._unknown(call, f"{call.full_name} on axes that were moved")
        after = self._rules.activation(before, call(), channels)
        return Made(result=after, sources=[before], channels=channels, before=before)

    def _channels(self, call: Call, result: object) -> Channels:
        before = max(call.carried, key=Tensor.dim)
        channels = self._provenance[before].channels
        if call.name in operations.REARRANGING:
            return moved(call.function, call.args, call.kwargs, before, channels)
        return channels if isinstance(result, Tensor) and result.dim() == before.dim() else None

    def _adds_constant(self, call: Call) -> bool:
        if call.name == "pad":
            return bool((call.args[3] if len(call.args) > 3 else call.kwargs.get("value")) or 0)
        if call.name in operations.JOINS:
            return len(call.operands) > len(call.carried)
        operands = (*call.args, *call.kwargs.values())[:2]
        return call.name in operations.SUMS and len(self._provenance.carried(operands)) < 2

    def _constant_part(self, call: Call) -> Tensor:
        """The result without what is added, joined or padded to: no pixel is its source."""
        zeros = {id(tensor): torch.zeros_like(tensor) for tensor in call.carried}
        part: Tensor = call.replacing(zeros, [])().detach()
        return part
