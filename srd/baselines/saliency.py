"""The absolute gradient of the target's logit at the inputs."""

from torch import nn

from srd.entries import AttributorEntry
from srd.passes import evaluating, input_gradient, leaf
from srd.types import Generators, Inputs, Maps, Target

ENTRY = AttributorEntry(
    name="saliency",
    title="Saliency",
    source="srd.baselines.saliency:saliency",
    family="gradient",
    signed=False,
    cost="1 forward, 1 backward",
    reference="Simonyan, Vedaldi, Zisserman, ICLR workshop 2014",
)


def saliency(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    generators: Generators | None = None,
    *,
    create_graph: bool = False,
) -> Maps:
    """Return the sum over channels of |d y_c / d x|, which is non-negative. The sum over channels is our choice.

    References
    ----------
    Simonyan, Vedaldi, Zisserman 2014.
    """
    with evaluating(network):
        inputs = leaf(inputs, create_graph=create_graph)
        return input_gradient(network, inputs, target, create_graph=create_graph).abs().sum(1)
