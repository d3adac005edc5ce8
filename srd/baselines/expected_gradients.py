"""Integrated Gradients averaged over many random baselines, each with one random point of its path."""

import torch
from torch import Tensor, nn

from srd.baselines._chunks import chunks, gradients_at
from srd.entries import AttributorEntry
from srd.passes import evaluating, leaf
from srd.types import Generators, Inputs, Maps, Target

ENTRY = AttributorEntry(
    name="expected_gradients",
    title="Expected Gradients",
    source="srd.baselines.expected_gradients:expected_gradients",
    family="gradient",
    signed=True,
    law="completeness",
    stochastic=True,
    cost="samples x (1 forward, 1 backward)",
    needs=("background",),
    reference="Erion, Janizek, Sturmfels, Lundberg, Lee, Nature Machine Intelligence 2021",
)


def expected_gradients(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    generators: Generators | None = None,
    *,
    samples: int = 16,
    batch: int = 32,
    background: Inputs | None = None,
    create_graph: bool = False,
) -> Maps:
    """Return the mean, over random images, of the path from the image times the gradient at a point of the path.

    For each sample, a row's own stream draws one image of the `background` and a point of the path, uniformly. Maps are
    signed.

    Parameters
    ----------
    batch
        About as many points pass the network at once.
    background
        Images (b, c, h, w). Without them all paths start at 0, which is the mean image where inputs are normalised.

    Raises
    ------
    ValueError
        There are no `generators`.

    References
    ----------
    Erion et al. 2021, eq. 3.
    """
    if generators is None:
        raise ValueError("Expected Gradients needs one generator per row")
    if background is None:
        background = torch.zeros_like(inputs[:1])
    with evaluating(network):
        inputs = leaf(inputs, create_graph=create_graph)
        ends = inputs if create_graph else inputs.detach()
        total = torch.zeros_like(ends)
        for chunk in chunks(samples, batch // len(inputs)):
            draws = [_draw(generators, background) for _ in chunk]
            ways = torch.stack([ends - start for start, _ in draws])
            at = inputs - ways * torch.stack([rest for _, rest in draws]).to(inputs)
            total = total + (ways * gradients_at(network, at, target, create_graph=create_graph)).sum(0)
        maps = total.sum(1) / samples
    return maps if create_graph else maps.detach()


def _draw(generators: Generators, background: Inputs) -> tuple[Inputs, Tensor]:
    """Draw one background image for each row, and the rest of its path: (n, 1, 1, 1)."""
    index = torch.cat([torch.randint(len(background), (1,), generator=g) for g in generators])
    rest = torch.cat([torch.rand(1, generator=g, dtype=torch.float64) for g in generators])
    return background[index.to(background.device)], rest[:, None, None, None]
