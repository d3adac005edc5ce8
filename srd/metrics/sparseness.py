"""How unevenly a map is spread over the pixels."""

import torch

from srd.entries import MetricEntry
from srd.metrics._maps import ascending
from srd.types import Maps, Scores

ENTRY = MetricEntry(
    name="sparseness",
    title="Sparseness (Gini)",
    source="srd.metrics.sparseness:sparseness",
    of="map",
    category="complexity",
    unit="Gini index",
    better=None,
    bounds=(0, 1),
    core=True,
    invariances=("positive scale of one", "negation", "permutation"),
    reference="Chalasani et al., ICML 2020",
)


def sparseness(maps: Maps) -> Scores:
    """Return the Gini index of |map|, in [0, 1): 0 for an even map, near 1 for a single pixel, NaN for a zero map.

    References
    ----------
    Chalasani et al. 2020, section 2.
    """
    values = ascending(maps.abs().flatten(1))
    n = values.shape[1]
    ranks = 2 * torch.arange(1, n + 1, device=maps.device, dtype=maps.dtype) - n - 1
    return (values * ranks).sum(1) / (n * values.sum(1))
