"""How concentrated a map is."""

import torch

from srd.types import Maps, Scores


def sparseness(maps: Maps) -> Scores:
    """Return the Gini index of |map|, in [0, 1): 0 for an even map, near 1 for a single pixel, NaN for a zero map.

    References
    ----------
    Chalasani et al. 2020, section 2.
    """
    values = maps.abs().flatten(1).sort(dim=1).values
    n = values.shape[1]
    ranks = 2 * torch.arange(1, n + 1, device=maps.device, dtype=maps.dtype) - n - 1
    return (values * ranks).sum(1) / (n * values.sum(1))
