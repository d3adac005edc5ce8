"""Gradients of the target's logit, summed along the path from a baseline to the inputs."""

import torch
from torch import Tensor, nn

from srd.baselines._chunks import chunks, gradients_at
from srd.entries import AttributorEntry
from srd.passes import evaluating, leaf
from srd.types import Generators, Inputs, Maps, Target

ENTRY = AttributorEntry(
    name="integrated_gradients",
    title="Integrated Gradients",
    source="srd.baselines.integrated_gradients:integrated_gradients",
    family="gradient",
    signed=True,
    law="completeness",
    cost="points x (1 forward, 1 backward)",
    needs=("baseline",),
    reference="Sundararajan, Taly, Yan, ICML 2017",
)


def integrated_gradients(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    generators: Generators | None = None,
    *,
    points: int = 16,
    batch: int = 32,
    baseline: Tensor | None = None,
    create_graph: bool = False,
) -> Maps:
    """Return the mean gradient along the straight path from `baseline`, times the path.

    Parameters
    ----------
    points
        Number of gradients, at the midpoints of equal steps.
    batch
        About as many points pass the network at once.
    baseline
        Broadcasts to `inputs`; 0 by default, which is the mean image where inputs are normalised.

    References
    ----------
    Sundararajan, Taly, Yan 2017, eq. 3.
    """
    with evaluating(network):
        inputs = leaf(inputs, create_graph=create_graph)
        way = inputs - (torch.zeros_like(inputs) if baseline is None else baseline.to(inputs))
        total = torch.zeros_like(inputs)
        for chunk in chunks(points, batch // len(inputs)):
            at = torch.stack([inputs - way * ((k + 0.5) / points) for k in chunk])
            total = total + gradients_at(network, at, target, create_graph=create_graph).sum(0)
        maps = (way * total).sum(1) / points
    return maps if create_graph else maps.detach()
