"""Two maps that explain nothing and should lose every comparison; a metric they win shows itself."""

import torch
from torch import nn
from torch.nn import functional

from srd.types import Generators, Inputs, Maps, Target


def random(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    generators: Generators | None = None,
    *,
    create_graph: bool = False,
) -> Maps:
    """Standard normal noise, each row from its own stream. Raises ValueError without `generators`."""
    if generators is None:
        raise ValueError("the random map needs one generator per row")
    size = inputs.shape[2:]
    return torch.stack([torch.randn(size, generator=g, dtype=inputs.dtype) for g in generators]).to(inputs.device)


def edges(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    generators: Generators | None = None,
    *,
    create_graph: bool = False,
) -> Maps:
    """Magnitude of the Sobel gradient of the channels' mean, borders replicated: depends on no network and no class."""
    smooth, slope = inputs.new_tensor([1.0, 2.0, 1.0]), inputs.new_tensor([-1.0, 0.0, 1.0])
    kernels = torch.stack([smooth.outer(slope), slope.outer(smooth)])[:, None]
    grey = functional.pad(inputs.mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    with torch.autocast(inputs.device.type, enabled=False):
        squares = functional.conv2d(grey, kernels).square().sum(1)
    maps = (squares + torch.finfo(inputs.dtype).tiny).sqrt()
    return maps if create_graph else maps.detach()
