"""Structural similarity of two maps."""

import torch
from torch import Tensor

from srd.entries import MetricEntry
from srd.types import Maps, Scores

ENTRY = MetricEntry(
    name="ssim",
    title="SSIM",
    source="srd.metrics.ssim:ssim",
    of="two maps",
    category="similarity",
    unit="structural similarity",
    better="higher",
    bounds=(-1, 1),
    core=True,
    symmetric=True,
    invariances=("positive scale of both", "positive scale of one", "negation"),
    reference="Wang, Bovik, Sheikh, Simoncelli, 2004",
    note=(
        "Each map is divided by its largest absolute value; the data range is 2. The Gaussian window has 11 pixels, so "
        "it sees other structures in small maps than in large ones."
    ),
)

WINDOW, SIGMA = 11, 1.5
DATA_RANGE = 2.0  # signed maps divided by their largest absolute value lie in [-1, 1]


def ssim(a: Maps, b: Maps) -> Scores:
    """Return the mean structural similarity of the maps, each divided by its largest absolute value.

    The Gaussian window has 11 pixels and sigma 1.5 and is placed wherever it fits. The data range is 2. The value is
    NaN if a map is zero.

    Raises
    ------
    ValueError
        The maps are smaller than the window.

    References
    ----------
    Wang et al. 2004, eq. 13.
    """
    if min(a.shape[1:]) < WINDOW:
        raise ValueError(f"SSIM needs maps of at least {WINDOW}x{WINDOW} pixels, got {a.shape[1]}x{a.shape[2]}")
    x, y = _scale(a), _scale(b)
    mean_x, mean_y, xx, yy, xy = _blur(torch.stack([x, y, x * x, y * y, x * y]))
    luminance, contrast = (0.01 * DATA_RANGE) ** 2, (0.03 * DATA_RANGE) ** 2
    upper = (2 * mean_x * mean_y + luminance) * (2 * (xy - mean_x * mean_y) + contrast)
    spread = (xx - mean_x.square()) + (yy - mean_y.square())
    lower = (mean_x.square() + mean_y.square() + luminance) * (spread + contrast)
    similarity: Tensor = upper / lower
    return similarity.mean((1, 2))


def _scale(maps: Maps) -> Maps:
    return maps / maps.abs().amax((1, 2), keepdim=True)


def _blur(maps: Tensor) -> Tensor:
    """Return the Gaussian means of all windows that fit: (..., h, w) -> (..., h - 10, w - 10)."""
    return _windows(maps.shape[-2], maps) @ maps @ _windows(maps.shape[-1], maps).T


def _windows(size: int, like: Tensor) -> Tensor:
    """Return one row of weights for each window along an axis: (size - 10, size)."""
    offsets = torch.arange(size, dtype=like.dtype, device=like.device) - torch.arange(
        WINDOW // 2, size - WINDOW // 2, dtype=like.dtype, device=like.device
    ).unsqueeze(1)
    weights = torch.exp(-0.5 * (offsets / SIGMA).square()) * (offsets.abs() <= WINDOW // 2)
    return weights / weights.sum(1, keepdim=True)
