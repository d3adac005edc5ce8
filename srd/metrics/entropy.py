"""How many pixels share a map."""

from math import log

import torch

from srd.entries import MetricEntry
from srd.metrics._maps import is_finite, scores_or_nan, total
from srd.types import Maps, Scores

ENTRY = MetricEntry(
    name="entropy",
    title="Entropy",
    source="srd.metrics.entropy:entropy",
    of="map",
    category="complexity",
    unit="share of the largest entropy",
    better=None,
    bounds=(0, 1),
    invariances=("positive scale of one", "negation", "permutation"),
    reference="Bhatt, Weller, Moura, IJCAI 2020",
    note=("Over the logarithm of the number of pixels, so that maps of two sizes compare; the paper does not divide."),
)


def entropy(maps: Maps) -> Scores:
    """Return the entropy of |map| / sum over ln(pixels), in [0, 1]: 1 for an even map, 0 for one pixel; in float64.

    It is NaN for a zero map, one that is not finite, and one of a single pixel.

    References
    ----------
    Bhatt et al. 2020, eq. 7.
    """
    pixels = maps.shape[1:].numel()
    mass = maps.abs().double()
    sums = total(mass)
    terms = torch.special.entr(mass / sums[:, None, None])  # its logarithm is the same at every place of a batch
    share = (total(terms) / log(max(pixels, 2))).clamp(0, 1)
    return scores_or_nan((sums > 0) & is_finite(maps) & (pixels > 1), share, maps)
