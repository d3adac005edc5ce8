"""Contrast, colour, elastic distortion, pixels and compression by severity."""

import io

import numpy as np
import torch
from PIL import Image as Picture
from torch import Generator, Tensor
from torch.nn import functional

from attacks.corruptions.imagenet_c.colour import has_one_channel, saturation, value, with_saturation, with_value
from attacks.corruptions.imagenet_c.filters import smooth
from attacks.corruptions.imagenet_c.sizes import SIDE, canvas, fit_to_image, relative_size
from attacks.corruptions.per_image import Image, severities
from attacks.corruptions.resampling import pixels, sample_bilinearly


@severities(0.1, 0.2, 0.3, 0.4, 0.5)
def brightness(image: Image, more: float, generator: Generator) -> Image:
    """Add to the value of hue, saturation and value."""
    return with_value(image, (value(image) + more).clamp(max=1))


@severities(0.4, 0.3, 0.2, 0.1, 0.05)
def contrast(image: Image, kept: float, generator: Generator) -> Image:
    """Move all pixels towards the mean of their channel; `kept` is the share of the distance that remains."""
    mean = image.mean((1, 2), keepdim=True)
    return mean + kept * (image - mean)


@severities((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2))
def saturate(image: Image, level: tuple[float, float], generator: Generator) -> Image:
    """Multiply the saturation and add to it; level: (factor, summand). Low severities reduce it, high ones increase it.

    Grey images stay as they are: they have no colour.
    """
    if has_one_channel(image):
        return image
    factor, more = level
    return with_saturation(image, (saturation(image) * factor + more).clamp(max=1))


SLIP = 244  # the side of the images in the paper's elastic transform


@severities((2, 0.7, 0.1), (2, 0.08, 0.2), (0.05, 0.01, 0.02), (0.07, 0.01, 0.02), (0.12, 0.01, 0.02))
def elastic_transform(image: Image, level: tuple[float, float, float], generator: Generator) -> Image:
    """Move three points at random and the picture with them, then every pixel by smooth noise.

    Level, in units of `SLIP` pixels: (factor of the noise, its standard deviation of smoothing, farthest move of a
    point). The picture is mirrored beyond the edges.
    """
    factor, sigma, farthest = (SLIP * length for length in level)
    size = relative_size(image)
    origin = _affine_origin(SIDE * size // 3, farthest * size, generator)
    noise = 2 * torch.rand(2, *canvas(image), generator=generator) - 1
    moves = fit_to_image(factor * size * smooth(noise, sigma), image).movedim(0, -1).double().cpu()
    centre = (torch.tensor(image.shape[-2:]) // 2).double()
    moved = pixels(*image.shape[-2:]) + moves - centre
    return sample_bilinearly(image[None], (moved @ origin[:2] + origin[2] + centre)[None])[0]


def _affine_origin(third: float, farthest: float, generator: Generator) -> Tensor:
    """Return the affine map, (y, x, 1) @ (3, 2), that undoes random moves of three corners of the inner square."""
    corners = third * torch.tensor([[1, 1], [1, -1], [-1, -1]], dtype=torch.float64)
    moved = corners + farthest * (2 * torch.rand(3, 2, generator=generator, dtype=torch.float64) - 1)
    origin: Tensor = torch.linalg.solve(functional.pad(moved, (0, 1), value=1.0), corners)
    return origin


@severities(0.6, 0.5, 0.4, 0.3, 0.25)
def pixelate(image: Image, share: float, generator: Generator) -> Image:
    """Average over blocks; their number in a row is `share` of the pixels."""
    rows, columns = (_blocks(side, share).to(image.device) for side in image.shape[-2:])
    means = _means_of_rows(_means_of_rows(image, rows).mT, columns).mT
    return means.index_select(2, columns).index_select(1, rows)


def _blocks(side: int, share: float) -> Tensor:
    """Return the block that holds the centre of each pixel of a side."""
    return ((torch.arange(side) + 0.5) * max(1, int(side * share)) / side).long()


def _means_of_rows(image: Image, blocks: Tensor) -> Image:
    numbers = blocks.bincount().to(image)[:, None]
    sums = image.new_zeros(len(image), len(numbers), image.shape[-1]).index_add_(1, blocks, image)
    return sums / numbers


@severities(25, 18, 15, 10, 7)
def jpeg_compression(image: Image, quality: int, generator: Generator) -> Image:
    """Store the image in 8 bits as JPEG of this quality, with colours at half the resolution."""
    values = np.stack(list(np.rint(255 * image.cpu().numpy()).astype(np.uint8)), -1)
    file = io.BytesIO()
    Picture.fromarray(values.squeeze(-1) if has_one_channel(image) else values).save(file, "JPEG", quality=quality)
    stored = torch.from_numpy(np.array(Picture.open(file))).reshape(values.shape)
    return stored.movedim(-1, 0).to(image) / 255
