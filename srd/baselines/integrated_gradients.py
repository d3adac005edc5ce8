"""Gradients of the target's logit, summed along the path from a baseline to the inputs."""

from collections.abc import Sequence

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
    estimate="srd.baselines.integrated_gradients:estimate",
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
    midpoints = [torch.full((len(inputs),), (k + 0.5) / points, dtype=torch.float64) for k in range(points)]
    shares = [1 / points] * points
    return _sum_along_path(network, inputs, target, midpoints, shares, batch, baseline, create_graph=create_graph)


def estimate(
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
    """Return an estimate of the same maps from one gradient of every two neighbours, drawn by each row's own stream.

    It is without bias. The parameters are those of `integrated_gradients`.

    Raises
    ------
    ValueError
        There are no `generators`.
    """
    if generators is None:
        raise ValueError("an estimate needs one generator per row")
    pairs = [range(first, min(first + 2, points)) for first in range(0, points, 2)]
    drawn = [(_draw(pair, generators) + 0.5) / points for pair in pairs]
    shares = [len(pair) / points for pair in pairs]
    return _sum_along_path(network, inputs, target, drawn, shares, batch, baseline, create_graph=create_graph)


def _draw(pair: range, generators: Generators) -> Tensor:
    """Draw one of the numbers for each row."""
    return torch.cat([torch.randint(pair.start, pair.stop, (1,), generator=each) for each in generators]).double()


def _sum_along_path(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    places: Sequence[Tensor],
    shares: Sequence[float],
    batch: int,
    baseline: Tensor | None,
    *,
    create_graph: bool,
) -> Maps:
    """Return the path times the gradients at places of it, one for each row, of which each counts by its share."""
    with evaluating(network):
        inputs = leaf(inputs, create_graph=create_graph)
        way = inputs - (torch.zeros_like(inputs) if baseline is None else baseline.to(inputs))
        total = torch.zeros_like(inputs)
        for chunk in chunks(len(places), batch // len(inputs)):
            at = torch.stack([inputs - way * places[k].to(inputs)[:, None, None, None] for k in chunk])
            weights = torch.tensor([shares[k] for k in chunk]).to(inputs)[:, None, None, None, None]
            total = total + (weights * gradients_at(network, at, target, create_graph=create_graph)).sum(0)
        maps = (way * total).sum(1)
    return maps if create_graph else maps.detach()
