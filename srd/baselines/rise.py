"""RISE: the mean probability of the class where a pixel is left visible."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from srd.baselines._chunks import chunks
from srd.entries import AttributorEntry
from srd.passes import evaluating, scores_of
from srd.types import Generators, Inputs, Maps, Target

ENTRY = AttributorEntry(
    name="rise",
    title="RISE",
    source="srd.baselines.rise:rise",
    family="occlusion",
    signed=False,
    stochastic=True,
    differentiable=False,
    cost="masks x 1 forward",
    reference="Petsiuk, Das, Saenko, BMVC 2018",
)


def rise(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    generators: Generators | None = None,
    *,
    masks: int = 1000,
    cells: int = 7,
    visible: float = 0.5,
    batch: int = 64,
    create_graph: bool = False,
) -> Maps:
    """Return the mean of random masks times the target's probability behind them, divided by `visible`.

    A mask is a grid of `cells` x `cells`, each 1 with probability `visible`, else 0. It is enlarged bilinearly and
    shifted by less than a cell. Hidden pixels are 0, the mean image where inputs are normalised. Each row has `masks`
    of its own, from its own stream. About `batch` masked rows pass the network at once. Maps are non-negative, without
    a gradient.

    Raises
    ------
    ValueError
        There are no `generators`, more cells than pixels, or `visible` is not in (0, 1].

    References
    ----------
    Petsiuk et al. 2018, eq. 6.
    """
    if generators is None:
        raise ValueError("RISE needs one generator per row")
    if not 0 < visible <= 1:
        raise ValueError(f"visible is a probability above 0, not {visible}")
    if cells > max(inputs.shape[2:]):
        raise ValueError(f"{cells} cells are more than the inputs have rows and columns")
    with evaluating(network), torch.no_grad():
        total = torch.zeros_like(inputs[:, 0])
        for chunk in chunks(masks, batch // len(inputs)):
            drawn = torch.stack([_masks(len(chunk), cells, visible, inputs.shape[2:], g) for g in generators], 1)
            drawn = drawn.to(inputs)
            masked = (inputs * drawn[:, :, None]).flatten(0, 1)
            probability = scores_of(network(masked).softmax(1), target.repeat(len(chunk)))
            total = total + (probability.reshape(len(chunk), -1, 1, 1) * drawn).sum(0)
    return total / (masks * visible)


def _masks(n: int, cells: int, visible: float, size: torch.Size, generator: torch.Generator) -> Tensor:
    """Return masks of one row, (n, h, w), drawn one after the other from its stream."""
    return torch.stack([_mask(cells, visible, size, generator) for _ in range(n)])


def _mask(cells: int, visible: float, size: torch.Size, generator: torch.Generator) -> Tensor:
    height, width = (-(-side // cells) for side in size)
    grid = (torch.rand((1, 1, cells, cells), generator=generator) < visible).float()
    enlarged = functional.interpolate(
        grid, ((cells + 1) * height, (cells + 1) * width), mode="bilinear", align_corners=False
    )
    top, left = (int(torch.randint(side, (), generator=generator)) for side in (height, width))
    return enlarged[0, 0, top : top + size[0], left : left + size[1]]
