"""Similarity of two maps of one image: 1 means equal, NaN that a map has nothing to compare."""

import torch
from torch import Tensor

from srd.types import Maps, Masks, Scores

TOP = 0.05  # share of the pixels that count as strongest
WINDOW, SIGMA = 11, 1.5
DATA_RANGE = 2.0  # signed maps divided by their largest absolute value lie in [-1, 1]


def pearson(a: Maps, b: Maps) -> Scores:
    """Return the correlation of the pixels, in [-1, 1]; NaN if a map is constant."""
    x, y = _centre(a), _centre(b)
    sizes: Tensor = x.norm(dim=1) * y.norm(dim=1)
    undefined = _is_constant(a) | _is_constant(b)  # rounding may leave a constant map a norm above 0
    return torch.where(undefined, torch.nan, ((x * y).sum(1) / sizes).clamp(-1, 1))


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


def top_k_intersection(a: Maps, b: Maps) -> Scores:
    """Return the share of the 5 % highest pixels that both maps have, in [0, 1]; ties go to the first pixel.

    It is NaN if a map is constant, because such a map has no highest pixels.

    References
    ----------
    Ghorbani et al. 2019.
    """
    first, second = top_k(a), top_k(b)
    shared = (first & second).sum((1, 2)).to(a.dtype) / first.sum((1, 2))
    return torch.where(_is_constant(a) | _is_constant(b), torch.nan, shared)


def top_k(maps: Maps) -> Masks:
    """Return the 5 % highest pixels of each map, at least one; ties go to the first pixel."""
    order = maps.flatten(1).sort(dim=1, descending=True, stable=True).indices
    highest = order[:, : max(1, round(TOP * order.shape[1]))]
    return torch.zeros_like(order, dtype=torch.bool).scatter(1, highest, True).view_as(maps)


def _centre(maps: Maps) -> Tensor:
    flat = maps.flatten(1)
    return flat - flat.mean(1, keepdim=True)


def _is_constant(maps: Maps) -> Tensor:
    flat = maps.flatten(1)
    return flat.eq(flat[:, :1]).all(1)


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
