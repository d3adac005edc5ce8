"""A control that knows nothing: it exposes a metric that noise wins."""

import torch
from torch import nn

from srd.entries import AttributorEntry
from srd.types import Generators, Inputs, Maps, Target

ENTRY = AttributorEntry(
    name="random",
    title="Random (control)",
    source="srd.baselines.random:random",
    family="control",
    signed=True,
    stochastic=True,
    differentiable=False,
    uses_network=False,
    uses_target=False,
    cost="none",
    reference="control: should lose",
)


def random(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    generators: Generators | None = None,
    *,
    create_graph: bool = False,
) -> Maps:
    """Return standard normal noise, each row from its own stream.

    Raises
    ------
    ValueError
        There are no `generators`.
    """
    if generators is None:
        raise ValueError("the random map needs one generator per row")
    size = inputs.shape[2:]
    return torch.stack([torch.randn(size, generator=g, dtype=inputs.dtype) for g in generators]).to(inputs.device)
