"""The gradient at the inputs, of which each activation passes on only what is positive."""

import torch
from torch import Tensor, nn

from srd.affine import Affine
from srd.entries import AttributorEntry
from srd.functions import AffineRule, Elementwise, pulled_back
from srd.interception import Interception
from srd.passes import evaluating, leaf, scores_of
from srd.provenance import Source
from srd.rules import NO_BIAS, SharingRatio
from srd.types import Generators, Inputs, Maps, Target

ENTRY = AttributorEntry(
    name="guided_backprop",
    title="Guided Backprop",
    source="srd.baselines.guided_backprop:guided_backprop",
    family="gradient",
    signed=True,
    cost="1 forward, 1 backward",
    reference="Springenberg, Dosovitskiy, Brox, Riedmiller, ICLR workshop 2015",
)


class PositiveGradient(SharingRatio):
    """The ordinary backward pass, but that activations pass on only what is positive."""

    def __init__(self) -> None:
        super().__init__("drop")

    def pointwise(self, bias: Tensor, axis: int, inputs: Tensor, outputs: Tensor) -> Tensor:
        """No rule for biases."""
        return outputs

    def held(self, tensor: Tensor) -> Tensor:
        """Nothing is held constant."""
        return tensor

    def _convolution_rule(self, affine: Affine, bias: Tensor, source: Source) -> AffineRule:
        return NO_BIAS

    def _through_activation(
        self, before: Tensor, phi: Elementwise, g: Tensor, received: Tensor | None, channels: tuple[int, ...]
    ) -> Tensor:
        return pulled_back(phi, before, g.clamp(min=0))


def guided_backprop(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    generators: Generators | None = None,
    *,
    create_graph: bool = False,
) -> Maps:
    """Sum over channels of the gradient of which each activation has passed on the positive part (Springenberg et al.).

    Signed. For activations other than ReLU that part is multiplied by their own derivative.
    """
    with evaluating(network):
        inputs, rules = leaf(inputs, create_graph=create_graph), PositiveGradient()
        with Interception(inputs, rules):
            logits = network(inputs)
        with rules.propagating():
            (gradient,) = torch.autograd.grad(scores_of(logits, target).sum(), inputs, create_graph=create_graph)
        maps = gradient.sum(1)
    return maps if create_graph else maps.detach()
