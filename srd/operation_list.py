"""The operations that a network runs on what comes from its inputs, each with its rule of relevance."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from torch import nn

from srd import operations
from srd.calls import Call, CallResult
from srd.encoder import Vectors
from srd.entries import DeclaredRule
from srd.errors import UnsupportedOperation
from srd.interception import NOTHING_DECLARED, Interception
from srd.passes import evaluating, leaf, scores_of
from srd.rules import SharingRatio
from srd.types import Inputs, Target

ACTIVATION, AFFINE, LINEAR, PRODUCT, WEIGHT, NONE = (
    "activation",
    "affine",
    "linear",
    "product, one factor held constant",
    "weight, held constant",
    "none",
)
"""The rules, in words."""


class SeenOperation(NamedTuple):
    """One call of an operation in a forward pass."""

    name: str
    """The name that a user would look up."""
    rule: str
    in_encoder: bool
    """Whether relevance flows through it: it lies below the end of the encoder. The head has its ordinary gradient."""


@dataclass(frozen=True)
class OperationList:
    """The operations of one forward pass, in their order."""

    seen: tuple[SeenOperation, ...]
    encoder_shape: tuple[int, ...]
    """The shape of the vectors at which the encoder ends; () if there is no such end."""
    refusal: str
    """Why SRD cannot decompose the network; "" if it can."""


class _Listing(Interception):
    """An interception that notes each operation with its rule."""

    def __init__(self, inputs: Inputs, declared: Mapping[str, DeclaredRule]) -> None:
        super().__init__(inputs, SharingRatio("drop"), declared)
        self.noted: dict[int, tuple[str, str]] = {}

    def below(self, end: Vectors) -> frozenset[int]:
        """Return the operations through which relevance flows from the end of the encoder down."""
        return self._flow.ancestors(end.order)

    def _note_landmark(self, call: Call, made: CallResult) -> None:
        self.noted[call.order] = call.full_name, _rule_of(call, made)
        super()._note_landmark(call, made)


def list_operations(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    *,
    encoder: str | None = None,
    operations: Mapping[str, DeclaredRule] = NOTHING_DECLARED,
) -> OperationList:
    """Return the operations of a forward pass with their rules, and where the encoder ends.

    `encoder` and `operations` are those of `srd.decompose`. What SRD refuses is told, not raised: the list then ends
    where the pass was refused.

    Raises
    ------
    ModelError
        The encoder is unknown.
    """
    with evaluating(network):
        trace = _Listing(leaf(inputs, create_graph=False), operations)
        below, refusal = frozenset[int](), ""
        shape: tuple[int, ...] = ()
        try:
            with trace.watching(network, [encoder] if encoder else []) as layers:
                logits = trace.logits_of(network)
            end, _ = trace.encoder_end(logits, scores_of(logits, target), *layers.values())
            below, shape = trace.below(end), tuple(end.before.shape)
            trace.refuse_unknown_below(end)
        except UnsupportedOperation as error:
            refusal = str(error)
    seen = tuple(SeenOperation(name, rule, order in below) for order, (name, rule) in trace.noted.items())
    return OperationList(seen, shape, refusal)


def _rule_of(call: Call, made: CallResult) -> str:
    if made.is_weight:
        return WEIGHT
    if made.unknown:
        return NONE
    if made.activated:
        return ACTIVATION
    if made.is_affine:
        return AFFINE
    return PRODUCT if call.name in operations.BILINEAR and len(call.carried) > 1 else LINEAR
