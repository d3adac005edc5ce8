"""Common parts of methods with a backward pass of their own: rules in place of SRD's, under the same interception."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from srd.affine import Affine
from srd.entries import DeclaredRule
from srd.functions import AffineRule
from srd.interception import Interception
from srd.lost_relevance import LostRelevance
from srd.passes import scores_of
from srd.provenance import Source
from srd.rules import NO_BIAS, SharingRatio
from srd.types import Inputs, Scores, Target


class OwnRules(SharingRatio):
    """Rules of a method with its own activations and convolutions; biases have no share."""

    def __init__(self, lost: LostRelevance | None = None, *, by_weights: bool) -> None:
        super().__init__("drop", lost, by_weights=by_weights)

    def pointwise(self, bias: Tensor, axis: int, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Return the outputs: biases have no rule."""
        return outputs

    def _convolution_rule(self, affine: Affine, bias: Tensor, source: Source) -> AffineRule:
        return NO_BIAS


class OwnActivations(OwnRules):
    """Rules of a method with its own activations only; all else is propagated by its derivative."""

    def hold_constant(self, tensor: Tensor) -> Tensor:
        """Return the tensor: nothing is held constant."""
        return tensor


def backward(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    rules: OwnRules,
    start: Callable[[Scores], Tensor],
    operations: Mapping[str, DeclaredRule],
    *,
    create_graph: bool,
) -> Tensor:
    """Propagate `start` of the target's logits by the rules to the inputs, which require grad.

    Raises
    ------
    UnsupportedOperation
        An activation may be hidden in an operation that has no rule and is not declared by `operations`.
    """
    trace = Interception(inputs, rules, operations)
    logits = trace.logits_of(network)
    trace.refuse_hidden_activations(logits)
    return backward_from_scores(scores_of(logits, target), inputs, rules, start, create_graph=create_graph)


def backward_from_scores(
    scores: Scores, inputs: Inputs, rules: OwnRules, start: Callable[[Scores], Tensor], *, create_graph: bool
) -> Tensor:
    """Propagate `start` of scores that were computed from the inputs under these rules."""
    with rules.propagating():
        (arrived,) = torch.autograd.grad(scores, inputs, start(scores), create_graph=create_graph)
    return arrived
