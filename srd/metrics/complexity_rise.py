"""How much less orderly the map of a network becomes when all its weights are re-drawn."""

from math import inf

import torch
from torch import Tensor

from srd.entries import MetricEntry
from srd.metrics._maps import has_order, is_finite, scores_or_nan
from srd.types import Maps, Scores

ENTRY = MetricEntry(
    name="complexity_rise",
    title="Rise of complexity",
    source="srd.metrics.complexity_rise:complexity_rise",
    of="randomised",
    category="randomisation",
    unit="share of the clean map's entropy",
    better="higher",
    bounds=(-1, inf),
    core=True,
    invariances=("positive scale of both", "positive scale of one", "shift", "negation", "permutation"),
    reference="Hedström, Weber, Lapuschkin, Höhne, 2024",
    note=(
        "Efficient MPRT; an audit has the mean over its re-drawn networks, which are the unit, since all images share "
        "them. Of the values' histogram, which says nothing of where they lie. A "
        "map of noise cannot rise: read it beside the similarity under re-drawn weights."
    ),
)

BINS = 100


def complexity_rise(clean: Maps, redrawn: Maps) -> Scores:
    """Return the rise of the entropy of the values, over that of the clean map, at least -1.

    The values of each map fall into 100 bins of equal width between its lowest and its highest; in float64. A constant
    map has entropy 0. The score is NaN if the clean map is constant, or a map is not finite.

    References
    ----------
    Hedström et al. 2024, efficient MPRT.
    """
    before = _entropy(clean)
    rise = (_entropy(redrawn) - before) / before
    return scores_or_nan(has_order(clean) & is_finite(redrawn), rise, clean)


def _entropy(maps: Maps) -> Tensor:
    """Return the entropy of the histogram of the values: (n,), whatever stands for maps that are not finite."""
    values = maps.flatten(1).double().nan_to_num(0, 0, 0)
    low, high = values.amin(1, keepdim=True), values.amax(1, keepdim=True)
    places = ((values - low) * BINS / (high - low).where(high > low, 1)).long().clamp(max=BINS - 1)
    counts = torch.zeros(len(values), BINS, dtype=torch.float64, device=maps.device)
    counts.scatter_add_(1, places, torch.ones_like(values))
    entropy: Tensor = torch.special.entr(counts / values.shape[1]).sum(1)
    return entropy
