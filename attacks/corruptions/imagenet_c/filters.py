"""Linear filters: points around a pixel that are read and averaged."""

import math

import numpy as np
import torch
from jaxtyping import Float
from scipy import fft
from torch import Generator, Tensor
from torch.nn import functional

from attacks.corruptions.imagenet_c.sizes import Layer
from attacks.corruptions.per_image import Image

Kernel = Float[Tensor, "m m"]
"""Weights around the middle; m is odd."""

TRUNCATE = 4.0  # a Gaussian filter reads nothing beyond so many standard deviations


def kernel(offsets: Float[Tensor, "k 2"], weights: Float[Tensor, " k"], size: float) -> Kernel:
    """Return weights of whole pixels for points that are read bilinearly at `size` times their offsets; their sum is 1.

    Offsets are (rows, columns). Points more than a pixel apart (`size` > 1) are read as broadly as they are apart.
    """
    places, breadth = offsets * size, max(1.0, size)
    reach = math.ceil(float(places.abs().max()) + breadth) - 1
    pixels = torch.arange(-reach, reach + 1, dtype=torch.float64)
    rows, columns = (1 - (places.T[..., None] - pixels).abs() / breadth).clamp(min=0)
    whole: Tensor = (weights[:, None] * rows).T @ columns
    return whole / whole.sum()


def gaussian(sigma: float, size: float) -> Kernel:
    """Return a normal density on whole pixels of the paper's pictures, `size` times as long."""
    steps = _steps(int(TRUNCATE * sigma + 0.5))
    down = kernel(torch.stack([steps, 0 * steps], 1), _normal(steps, sigma), size)
    across = down @ down.T
    return across / across.sum()


def disc(radius: int, edge: float, size: float) -> Kernel:
    """Return a disc of whole pixels, `size` times as long, whose edge a Gaussian of standard deviation `edge` smooths.

    It is smoothed on a square of 17 pixels, or of its own size; nothing spreads beyond this square.
    """
    steps = _steps(max(8, radius))
    inside = (steps[:, None] ** 2 + steps**2 <= radius**2).double()
    profile = _normal(_steps(1), edge)
    weights = correlate(inside[None], profile[:, None] * profile, "reflect")
    return kernel(torch.cartesian_prod(steps, steps), weights.flatten(), size)


def motion(radius: int, sigma: float, degrees: float, size: float) -> Kernel:
    """Return a line to one side, with weights of one half of a normal density, `size` times as long."""
    steps = torch.arange(2 * radius + 1, dtype=torch.float64)
    angle = math.radians(degrees)
    direction = torch.tensor([math.sin(angle), math.cos(angle)], dtype=torch.float64)
    return kernel(steps[:, None] * direction, _normal(steps, sigma), size)


def correlate(image: Image, kernel: Kernel, beyond: str = "replicate") -> Image:
    """Correlate every channel with the kernel; beyond the edges the image continues as torch's padding `beyond`."""
    reach = len(kernel) // 2
    padded = functional.pad(image[None], (reach,) * 4, mode=beyond)[0]
    size = [fft.next_fast_len(side, real=True) for side in padded.shape[-2:]]
    spectrum = torch.fft.rfft2(padded, size) * torch.fft.rfft2(kernel.to(image), size).conj()
    height, width = image.shape[-2:]
    result: Image = torch.fft.irfft2(spectrum, size)[..., :height, :width]
    return result


def smooth(noise: Layer, sigma: float) -> Layer:
    """Convolve with a normal density. The layer is mirrored at its edges, where a cosine transform is exact."""
    height, width = noise.shape[-2:]
    rows, columns = np.pi * np.arange(height)[:, None] / height, np.pi * np.arange(width) / width
    spectrum = fft.dctn(noise.numpy(), axes=(-2, -1)) * np.exp(-(sigma**2) * (rows**2 + columns**2) / 2)
    return torch.from_numpy(fft.idctn(spectrum, axes=(-2, -1))).to(noise)


def uniform(low: float, high: float, generator: Generator) -> float:
    """Draw one number between the two."""
    return low + (high - low) * float(torch.rand((), generator=generator))


def _steps(reach: int) -> Tensor:
    return torch.arange(-reach, reach + 1, dtype=torch.float64)


def _normal(distance: Tensor, sigma: float) -> Tensor:
    weights = torch.exp(-(distance**2) / (2 * sigma**2))
    return weights / weights.sum()
