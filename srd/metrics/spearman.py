"""Spearman's rank correlation of the pixels of two maps."""

import torch
from torch import Tensor

from srd.entries import MetricEntry
from srd.metrics._maps import ascending_order, doubled_ranks, has_order, scores_or_nan
from srd.types import Maps, Scores

ENTRY = MetricEntry(
    name="spearman",
    title="Spearman correlation",
    source="srd.metrics.spearman:spearman",
    of="two maps",
    category="similarity",
    unit="rank correlation",
    better="higher",
    bounds=(-1, 1),
    symmetric=True,
    invariances=(
        "positive scale of both",
        "positive scale of one",
        "shift",
        "increasing function",
        "negation",
        "permutation",
    ),
    note="Equal pixels have their average rank.",
)


def spearman(a: Maps, b: Maps) -> Scores:
    """Return the correlation of the pixels' average ranks, in [-1, 1]; NaN if a map is constant or not finite.

    Sums of ranks are exact in float64 for maps of up to 300 000 pixels.
    """
    x, y = _centred_ranks(a.flatten(1)), _centred_ranks(b.flatten(1))
    sizes = x.square().sum(1).sqrt() * y.square().sum(1).sqrt()
    return scores_or_nan(has_order(a) & has_order(b), ((x * y).sum(1) / sizes).clamp(-1, 1), a)


def _centred_ranks(flat: Tensor) -> Tensor:
    order = ascending_order(flat)
    ranks = doubled_ranks(flat.gather(1, order)) - (flat.shape[1] - 1)
    return torch.empty_like(ranks).scatter(1, order, ranks).double()
