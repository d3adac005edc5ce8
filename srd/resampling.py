"""Rules for torch functions that read features at other places: interpolation, sampling on a grid, unpooling."""

from srd.calls import Call, CallResult
from srd.provenance import Provenance
from srd.rules import SharingRatio

RESAMPLING = frozenset("interpolate upsample grid_sample grid_sampler max_unpool2d".split())
"""Functions that are linear in their first argument; what they read besides says where, and is held constant."""


class ResamplingCalls:
    """Runs calls that resample maps of features."""

    def __init__(self, rules: SharingRatio, provenance: Provenance) -> None:
        self._rules = rules
        self._provenance = provenance

    def run(self, call: Call) -> CallResult | None:
        """Run the call and return its result if it resamples maps (n, c, h, w), else return None."""
        if call.name not in RESAMPLING:
            return None
        features = call.operands[0]
        record = self._provenance.get(features)
        if record is None or features.dim() != 4 or record.channels not in {(1,), ()}:
            return None
        places = [tensor for tensor in call.carried if tensor is not features and tensor.is_floating_point()]
        held = {id(tensor): self._rules.hold_constant(tensor) for tensor in places}
        result = call.replacing(held, [features])()
        return CallResult(result, [features], channels=record.channels, is_weight=record.is_weight)
