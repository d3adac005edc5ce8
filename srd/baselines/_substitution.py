"""A network that runs on from its encoder with other feature vectors in place of its own."""

from typing import Any

from torch import Tensor, nn

from srd.baselines._features import Features
from srd.calls import Call
from srd.errors import UnsupportedOperation
from srd.interception import Interception
from srd.rules import SharingRatio
from srd.types import Inputs, Logits


class Substitution(Interception):
    """The forward pass of one row, in which the result of operation `order` is replaced by `substitutes`."""

    def __init__(self, inputs: Inputs, order: int, substitutes: Tensor) -> None:
        super().__init__(inputs, SharingRatio("drop"))
        self._at = order
        self._substitutes = substitutes

    def _record(self, call: Call) -> Any:
        result = super()._record(call)
        if call.order != self._at:
            return result
        self._provenance[self._substitutes] = self._provenance[result]
        return self._substitutes


def logits_with(network: nn.Module, inputs: Inputs, features: Features, substitutes: Tensor) -> Logits:
    """Return the logits for feature vectors, of any number of rows, in place of the encoder's own for one row.

    Raises
    ------
    UnsupportedOperation
        The head cannot take more rows than the network was given.
    """
    try:
        logits = Substitution(inputs, features.order, substitutes).logits_of(network)
    except RuntimeError as error:
        rows = f"{len(substitutes)} rows of features of one image"
        raise UnsupportedOperation(f"a head that cannot take {rows}; set the option batch to 1 ({error})") from error
    if len(logits) != len(substitutes):
        raise UnsupportedOperation(
            f"a head that makes {len(logits)} rows of {len(substitutes)}; set the option batch to 1"
        )
    return logits
