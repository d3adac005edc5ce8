"""Pearson's correlation of two maps at a resolution that class activation maps and pixel-wise methods share."""

import torch
from torch import Tensor

from srd.entries import MetricEntry
from srd.metrics._maps import has_order, scores_or_nan
from srd.metrics.pearson import pearson
from srd.types import Maps, Scores

ENTRY = MetricEntry(
    name="coarse_pearson",
    title="Pearson correlation (7x7 cells)",
    source="srd.metrics.coarse_pearson:coarse_pearson",
    of="two maps",
    category="similarity",
    unit="correlation",
    better="higher",
    bounds=(-1, 1),
    core=True,
    symmetric=True,
    invariances=("positive scale of both", "positive scale of one", "shift", "negation"),
    note=(
        "Compares maps of any native resolution at one, and tolerates shifts of a few pixels. Where 7 does not divide "
        "a side, a pixel counts in two cells by the shares that lie in them."
    ),
)

CELLS = 7
ROUNDING = 1e-12  # share of a map's largest value below which its cells differ by rounding only


def coarse_pearson(a: Maps, b: Maps) -> Scores:
    """Return the correlation of the means over 7 x 7 cells, in [-1, 1]; in float64.

    It is NaN if a map is constant, not finite, or constant after pooling.
    """
    x, y = _pool(a), _pool(b)
    defined = has_order(a) & has_order(b) & _has_contrast(x, a) & _has_contrast(y, b)
    return scores_or_nan(defined, pearson(x, y), a)


def _has_contrast(cells: Tensor, maps: Maps) -> Tensor:
    flat = cells.flatten(1)
    return flat.amax(1) - flat.amin(1) > ROUNDING * maps.flatten(1).abs().amax(1).double()


def _pool(maps: Maps) -> Tensor:
    """Return the means over the cells: (n, h, w) -> (n, 7, 7)."""
    rows = _sums(maps.double().transpose(1, 2))
    return _sums(rows.transpose(1, 2)) / (maps.shape[1] * maps.shape[2])


def _sums(values: Tensor) -> Tensor:
    """Return the sums over cells of the last axis, in sevenths of a pixel: (n, m, size) -> (n, m, 7).

    The weights are whole numbers, so that the cells of a constant map are equal.
    """
    size = values.shape[2]
    starts = CELLS * torch.arange(size, device=values.device)
    sums = []
    for cell in range(CELLS):
        low, high = cell * size // CELLS, -(-(cell + 1) * size // CELLS)
        shares = (starts[low:high] + CELLS).clamp(max=(cell + 1) * size) - starts[low:high].clamp(min=cell * size)
        sums.append((values[:, :, low:high] * shares).sum(2))
    return torch.stack(sums, 2)
