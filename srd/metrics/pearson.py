"""Pearson's correlation of the pixels of two maps."""

import torch
from torch import Tensor

from srd.entries import MetricEntry
from srd.metrics._maps import is_constant
from srd.types import Maps, Scores

ENTRY = MetricEntry(
    name="pearson",
    title="Pearson correlation",
    source="srd.metrics.pearson:pearson",
    of="two maps",
    category="similarity",
    unit="correlation",
    better="higher",
    bounds=(-1, 1),
    core=True,
    symmetric=True,
    invariances=("positive scale of both", "positive scale of one", "shift", "negation", "permutation"),
)


def pearson(a: Maps, b: Maps) -> Scores:
    """Return the correlation of the pixels, in [-1, 1]; NaN if a map is constant."""
    x, y = _centre(a), _centre(b)
    sizes: Tensor = x.norm(dim=1) * y.norm(dim=1)
    undefined = is_constant(a) | is_constant(b)  # rounding may leave a constant map a norm above 0
    return torch.where(undefined, torch.nan, ((x * y).sum(1) / sizes).clamp(-1, 1))


def _centre(maps: Maps) -> Tensor:
    flat = maps.flatten(1)
    return flat - flat.mean(1, keepdim=True)
