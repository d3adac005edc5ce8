"""The gradient of the target's logit at the inputs, times the inputs."""

from torch import nn

from srd.entries import AttributorEntry
from srd.passes import evaluating, input_gradient, leaf
from srd.types import Generators, Inputs, Maps, Target

ENTRY = AttributorEntry(
    name="input_x_gradient",
    title="Input x Gradient",
    source="srd.baselines.input_x_gradient:input_x_gradient",
    family="gradient",
    signed=True,
    cost="1 forward, 1 backward",
    reference="Shrikumar, Greenside, Shcherbina, Kundaje, 2016",
)


def input_x_gradient(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    generators: Generators | None = None,
    *,
    create_graph: bool = False,
) -> Maps:
    """Return the sum over channels of x * d y_c / d x, with x the normalised pixel.

    References
    ----------
    Shrikumar et al. 2016.
    """
    with evaluating(network):
        inputs = leaf(inputs, create_graph=create_graph)
        maps = (inputs * input_gradient(network, inputs, target, create_graph=create_graph)).sum(1)
    return maps if create_graph else maps.detach()
