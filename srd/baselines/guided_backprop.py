"""The gradient at the inputs, where each activation passes on positive values only."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from srd.baselines._backward import OwnActivations, backward
from srd.entries import AttributorEntry, DeclaredRule
from srd.functions import Elementwise, pull_back
from srd.interception import NOTHING_DECLARED
from srd.passes import evaluating, leaf
from srd.types import Generators, Inputs, Maps, Target

ENTRY = AttributorEntry(
    name="guided_backprop",
    title="Guided Backprop",
    source="srd.baselines.guided_backprop:guided_backprop",
    family="gradient",
    signed=True,
    cost="1 forward, 1 backward",
    needs=("operations",),
    reference="Springenberg, Dosovitskiy, Brox, Riedmiller, ICLR workshop 2015",
)


class PositiveGradient(OwnActivations):
    """The ordinary backward pass, except that activations pass on positive values only."""

    def _through_activation(
        self, before: Tensor, phi: Elementwise, g: Tensor, received: Tensor | None, channels: tuple[int, ...]
    ) -> Tensor:
        return pull_back(phi, before, g.clamp(min=0))


def guided_backprop(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    generators: Generators | None = None,
    *,
    operations: Mapping[str, DeclaredRule] = NOTHING_DECLARED,
    create_graph: bool = False,
) -> Maps:
    """Return the sum over channels of the gradient of which each activation has passed on the positive part.

    For activations other than ReLU, this part is multiplied by their own derivative. Maps are signed.
    `operations` are those of `srd.decompose`.

    Raises
    ------
    UnsupportedOperation
        An operation may hide an activation.

    References
    ----------
    Springenberg et al. 2015.
    """
    with evaluating(network):
        inputs = leaf(inputs, create_graph=create_graph)
        rules = PositiveGradient(by_weights=create_graph)
        at_inputs = backward(network, inputs, target, rules, torch.ones_like, operations, create_graph=create_graph)
        maps = at_inputs.sum(1)
    return maps if create_graph else maps.detach()
