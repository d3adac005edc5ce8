"""Values of images between their pixels."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Positions = Float[Tensor, "n h w yx"]
"""Places in an image, rows and columns counted from its first pixel."""


def pixels(height: int, width: int) -> Float[Tensor, "h w yx"]:
    """Return the position of every pixel, in double precision."""
    rows, columns = torch.arange(height, dtype=torch.float64), torch.arange(width, dtype=torch.float64)
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij"), -1)


def sample_bilinearly(images: Float[Tensor, "n c h w"], positions: Positions) -> Float[Tensor, "n c h w"]:
    """Sample the images at the positions: bilinear between pixels, mirrored beyond the edges."""
    size = torch.tensor(images.shape[-2:])
    grid = (2 * positions + 1) / size - 1  # in torch the image extends from -1 to 1, from edge to edge
    return functional.grid_sample(
        images, grid.flip(-1).to(images), "bilinear", padding_mode="reflection", align_corners=False
    )
