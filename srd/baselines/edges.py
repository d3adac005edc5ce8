"""A control that sees only the picture: it exposes a metric that an edge detector wins."""

import torch
from torch import nn
from torch.nn import functional

from srd.entries import AttributorEntry
from srd.types import Generators, Inputs, Maps, Target

ENTRY = AttributorEntry(
    name="edges",
    title="Edges (control)",
    source="srd.baselines.edges:edges",
    family="control",
    signed=False,
    differentiable=False,
    uses_network=False,
    uses_target=False,
    cost="none",
    reference="control: Sobel magnitude, should lose",
)


def edges(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    generators: Generators | None = None,
    *,
    create_graph: bool = False,
) -> Maps:
    """Return the magnitude of the Sobel gradient of the channels' mean, with replicated borders.

    It depends on no network and no class.
    """
    smooth, slope = inputs.new_tensor([1.0, 2.0, 1.0]), inputs.new_tensor([-1.0, 0.0, 1.0])
    kernels = torch.stack([smooth.outer(slope), slope.outer(smooth)])[:, None]
    grey = functional.pad(inputs.mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    with torch.autocast(inputs.device.type, enabled=False):
        squares = functional.conv2d(grey, kernels).square().sum(1)
    maps = (squares + torch.finfo(inputs.dtype).tiny).sqrt()
    return maps if create_graph else maps.detach()
