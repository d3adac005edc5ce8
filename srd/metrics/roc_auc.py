"""How well a map's pixels tell the object from the rest."""

import torch

from srd.entries import MetricEntry
from srd.metrics._maps import doubled_rank_sums, has_order, known_pixels, put_last, scores_or_nan
from srd.types import Maps, Masks, Scores

ENTRY = MetricEntry(
    name="roc_auc",
    title="ROC AUC",
    source="srd.metrics.roc_auc:roc_auc",
    of="map and mask",
    category="localisation",
    unit="probability",
    better="higher",
    bounds=(0, 1),
    invariances=("positive scale of one", "shift", "increasing function", "permutation"),
    reference="Fawcett, Pattern Recognition Letters 2006",
    note="By chance it is 1/2, whatever the size of the mask.",
)


def roc_auc(maps: Maps, masks: Masks, ignored: Masks | None = None) -> Scores:
    """Return the probability that a pixel in the mask is higher than one outside, in [0, 1]; equals count 1/2.

    It is the Mann-Whitney statistic of the average ranks, whose sums are exact. Ignored pixels count on neither side.
    It is NaN for a mask that is empty or full, or a map that is constant or not finite.

    References
    ----------
    Fawcett 2006, section 7.
    """
    maps, inside = put_last(maps, ignored), known_pixels(masks, ignored).flatten(1)
    n_inside = inside.sum(1).double()
    n_ignored = torch.zeros_like(n_inside) if ignored is None else ignored.flatten(1).sum(1).double()
    n_outside = inside.shape[1] - n_inside - n_ignored
    above = doubled_rank_sums(maps.flatten(1), inside) / 2 - n_inside * (n_inside - 1) / 2 - n_inside * n_ignored
    return scores_or_nan((n_inside > 0) & (n_outside > 0) & has_order(maps), above / (n_inside * n_outside), maps)
