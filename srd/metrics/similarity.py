"""How alike two maps of one image are: 1 = the same, NaN only where a map has nothing to compare."""

import torch
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from srd.types import Maps, Scores

TOP = 0.05  # share of the pixels that count as strongest
SSIM_DATA_RANGE = 2.0  # signed maps divided by their largest absolute value lie in [-1, 1]


def pearson(a: Maps, b: Maps) -> Scores:
    """Correlation of the pixels, in [-1, 1]; NaN if a map is constant."""
    x, y = _centred(a), _centred(b)
    sizes: Tensor = x.norm(dim=1) * y.norm(dim=1)
    return ((x * y).sum(1) / sizes).clamp(-1, 1)


def ssim(a: Maps, b: Maps) -> Scores:
    """Mean structural similarity of the maps divided by their largest absolute values (Wang et al. 2004).

    Gaussian window of 11 pixels and sigma 1.5, data range 2, borders left out. NaN if a map is zero. Raises
    ValueError for maps smaller than the window.
    """
    if min(a.shape[1:]) < 11:
        raise ValueError(f"SSIM needs maps of at least 11x11 pixels, got {tuple(a.shape[1:])}")
    scores = structural_similarity_index_measure(
        _scaled(a)[:, None], _scaled(b)[:, None], data_range=SSIM_DATA_RANGE, reduction="none"
    )
    return torch.as_tensor(scores).reshape(len(a))


def top_k_intersection(a: Maps, b: Maps) -> Scores:
    """Share of the 5 % highest pixels that both maps have, in [0, 1]; ties go to the first (Ghorbani et al. 2019)."""
    k = max(1, round(TOP * a[0].numel()))
    return (_top(a, k) & _top(b, k)).sum(1) / k


def _centred(maps: Maps) -> Tensor:
    flat = maps.flatten(1)
    return flat - flat.mean(1, keepdim=True)


def _scaled(maps: Maps) -> Maps:
    return maps / maps.abs().amax((1, 2), keepdim=True)


def _top(maps: Maps, k: int) -> Tensor:
    order = maps.flatten(1).sort(dim=1, descending=True, stable=True).indices
    chosen = torch.zeros_like(order, dtype=torch.bool)
    return chosen.scatter(1, order[:, :k], True)
