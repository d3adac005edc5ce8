"""The strongest pixels of one map that lie near those of another, beyond what chance gives."""

from math import inf

import torch
from torch import Tensor

from srd.entries import MetricEntry
from srd.metrics._maps import has_order, scores_or_nan, side, top_k
from srd.types import Maps, Masks, Scores

ENTRY = MetricEntry(
    name="top_k_near",
    title="Top-5 % nearness",
    source="srd.metrics.top_k_near:top_k_near",
    of="two maps",
    category="similarity",
    unit="share of the highest pixels beyond chance",
    better="higher",
    bounds=(-inf, 1),
    symmetric=True,
    invariances=("positive scale of both", "positive scale of one", "shift", "increasing function"),
    reference="Kamath, Mittal, Deshpande, Balasubramanian, AAAI 2024",
    note=(
        "Near means at most side / 75 pixels away along each axis, at least 1, of the shorter side: 3 of 224 pixels. "
        "The correction for chance is ours; without it, unrelated maps of 224 x 224 pixels reach 0.92."
    ),
)

REACH = 75  # shorter sides of a map over the reach in pixels


def top_k_near(a: Maps, b: Maps) -> Scores:
    """Return the corrected share of each map's 5 % highest pixels that are near the other's, at most 1.

    With v the share of all pixels that are near, the share s of the highest pixels becomes (s - v) / (1 - v), which is
    0 on average for unrelated maps. The score is the mean of both directions. It is NaN if a map is constant or not
    finite, or if all pixels are near.

    References
    ----------
    Kamath et al. 2024, LENS-recall@k.
    """
    first, second = top_k(a), top_k(b)
    reach = max(1, round(side(a) / REACH))
    scores = (_recall(_dilate(first, reach), second) + _recall(_dilate(second, reach), first)) / 2
    return scores_or_nan(has_order(a) & has_order(b), scores, a)


def _recall(near: Masks, strongest: Masks) -> Tensor:
    """Return the share of the strongest pixels that are near, corrected for chance; NaN if all pixels are near."""
    chance = near.sum((1, 2)) / torch.tensor(near.shape[1:].numel(), dtype=torch.float64, device=near.device)
    share = (near & strongest).sum((1, 2)) / strongest.sum((1, 2)).double()
    return torch.where(chance < 1, (share - chance) / (1 - chance), torch.nan)


def _dilate(masks: Masks, reach: int) -> Masks:
    """Return the pixels at most `reach` rows and columns away from one of the mask."""
    for axis in (1, 2):
        grown = masks.clone()
        for step in range(1, min(reach, masks.shape[axis] - 1) + 1):
            rest = masks.shape[axis] - step
            grown.narrow(axis, step, rest).logical_or_(masks.narrow(axis, 0, rest))
            grown.narrow(axis, 0, rest).logical_or_(masks.narrow(axis, step, rest))
        masks = grown
    return masks
