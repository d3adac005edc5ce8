"""The gradient of the target's logit, averaged over noisy copies of the inputs."""

from typing import Any

import torch
from torch import Tensor, nn

from srd.baselines._chunks import chunks, gradients_at
from srd.entries import AttributorEntry
from srd.passes import evaluating, leaf
from srd.types import Generators, Inputs, Maps, Target

ENTRY = AttributorEntry(
    name="smooth_grad",
    title="SmoothGrad",
    source="srd.baselines.smooth_grad:smooth_grad",
    family="gradient",
    signed=False,
    stochastic=True,
    cost="samples x (1 forward, 1 backward)",
    estimate="srd.baselines.smooth_grad:estimate",
    reference="Smilkov, Thorat, Kim, Viegas, Wattenberg, 2017",
)


def smooth_grad(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    generators: Generators | None = None,
    *,
    samples: int = 16,
    noise: float = 0.15,
    batch: int = 32,
    create_graph: bool = False,
) -> Maps:
    """Return the sum over channels of |mean gradient| under normal noise, which is non-negative.

    The noise of each row comes from its own stream. Its deviation is `noise` times the range of the row. About `batch`
    noisy rows pass the network at once.

    Raises
    ------
    ValueError
        There are no `generators`.

    References
    ----------
    Smilkov et al. 2017.
    """
    if generators is None:
        raise ValueError("SmoothGrad needs one generator per row")
    with evaluating(network):
        inputs = leaf(inputs, create_graph=create_graph)
        spread = noise * (inputs.amax((1, 2, 3), keepdim=True) - inputs.amin((1, 2, 3), keepdim=True))
        total = torch.zeros_like(inputs)
        for chunk in chunks(samples, batch // len(inputs)):
            noisy = inputs + spread * torch.stack([_draw_noise(inputs, generators) for _ in chunk])
            total = total + gradients_at(network, noisy, target, create_graph=create_graph).sum(0)
        maps = (total / samples).abs().sum(1)
    return maps if create_graph else maps.detach()


def _draw_noise(inputs: Inputs, generators: Generators) -> Tensor:
    """Draw one number for each input value, row by row: draws of several rows at once depend on their number."""
    return torch.stack(
        [torch.randn(row.shape, generator=g, dtype=inputs.dtype) for row, g in zip(inputs, generators, strict=True)]
    ).to(inputs.device)


def estimate(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    generators: Generators | None = None,
    *,
    samples: int = 16,
    create_graph: bool = False,
    **options: Any,
) -> Maps:
    """Return the maps of `smooth_grad` from half as many samples, with its other options."""
    fewer = -(-samples // 2)
    return smooth_grad(network, inputs, target, generators, samples=fewer, create_graph=create_graph, **options)
