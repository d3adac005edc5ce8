"""What methods with a backward pass of their own share: rules in SRD's place, under the same interception."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from srd.affine import Affine
from srd.functions import AffineRule
from srd.interception import Interception
from srd.passes import scores_of
from srd.provenance import Source
from srd.rules import NO_BIAS, SharingRatio
from srd.types import Inputs, Scores, Target


class OwnRules(SharingRatio):
    """For a method that says itself what activations and convolutions hand on; biases have no share."""

    def __init__(self, *, by_weights: bool) -> None:
        super().__init__("drop", by_weights=by_weights)

    def pointwise(self, bias: Tensor, axis: int, inputs: Tensor, outputs: Tensor) -> Tensor:
        """No rule for biases."""
        return outputs

    def _convolution_rule(self, affine: Affine, bias: Tensor, source: Source) -> AffineRule:
        return NO_BIAS


class OwnActivations(OwnRules):
    """For a method that only says what activations hand on: all else does so by its derivative."""

    def hold_constant(self, tensor: Tensor) -> Tensor:
        """Nothing is held constant."""
        return tensor


def backward(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    rules: OwnRules,
    start: Callable[[Scores], Tensor],
    *,
    create_graph: bool,
) -> Tensor:
    """What the rules bring to the inputs, which require grad, of what `start` makes of the target's logits."""
    with Interception(inputs, rules):
        logits = network(inputs)
    return backward_from_scores(scores_of(logits, target), inputs, rules, start, create_graph=create_graph)


def backward_from_scores(
    scores: Scores, inputs: Inputs, rules: OwnRules, start: Callable[[Scores], Tensor], *, create_graph: bool
) -> Tensor:
    """The same of scores that were made of the inputs under these rules."""
    with rules.propagating():
        (arrived,) = torch.autograd.grad(scores, inputs, start(scores), create_graph=create_graph)
    return arrived
