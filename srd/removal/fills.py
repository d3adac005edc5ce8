"""The images that fill removed pixels."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

import torch
from torch import Tensor

from srd.entries import Fill
from srd.types import Inputs, Masks

TRUNCATE = 4
"""How many sigma a Gaussian reaches, as in scipy."""


def fill(inputs: Inputs, masks: Masks, filled: Inputs) -> Inputs:
    """Return the inputs with those of `filled` where the masks say removed.

    One row of inputs stands for all masks, or each has its own. The masks may lie on another device.
    """
    return torch.where(masks[:, None].to(inputs.device), filled, inputs)


def blur(inputs: Inputs, black: Inputs, *, share: float) -> Inputs:
    """Return the Gaussian blur of the inputs; sigma is a share of their shorter side, borders are mirrored.

    It is that of normalised images and of images alike, since the weights add up to 1.
    """
    sigma = share * min(inputs.shape[2:])
    rows, columns = (_smoothing(side, sigma).to(inputs) for side in inputs.shape[2:])
    return rows @ inputs @ columns.T


def _smoothing(side: int, sigma: float) -> Tensor:
    """Return the weights of the pixels along an axis in each of the blurred ones: (side, side), in float64."""
    radius = int(TRUNCATE * sigma + 0.5)
    offsets = torch.arange(-radius, radius + 1)
    weights = torch.exp(-0.5 * (offsets.double() / sigma).square())
    places = (torch.arange(side)[:, None] + offsets).abs()
    mirrored = torch.minimum(places, 2 * (side - 1) - places)
    spread = (weights / weights.sum()).expand(side, -1)
    return torch.zeros(side, side, dtype=torch.float64).scatter_add(1, mirrored, spread)


def black_image(inputs: Inputs, black: Inputs) -> Inputs:
    """Return the black image, as the network reads it, for each row."""
    return black.to(inputs).expand_as(inputs)


def mean_image(inputs: Inputs, black: Inputs) -> Inputs:
    """Return zeros: where inputs are normalised, the mean colour of the data."""
    return torch.zeros_like(inputs)


FILLS: Mapping[Fill, Callable[[Inputs, Inputs], Inputs]] = MappingProxyType(
    {
        "blur": partial(blur, share=1 / 20),
        "black": black_image,
        "narrow_blur": partial(blur, share=1 / 30),
        "wide_blur": partial(blur, share=1 / 15),
        "mean": mean_image,
    }
)
"""(inputs, the black image as the network reads it) -> what fills each row, of the shape of the inputs."""
