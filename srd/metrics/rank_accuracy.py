"""The share of the object's size in highest pixels that lies on the object."""

from srd.entries import MetricEntry
from srd.metrics._maps import has_order, highest, known_pixels, put_last, scores_or_nan
from srd.types import Maps, Masks, Scores

ENTRY = MetricEntry(
    name="rank_accuracy",
    title="Relevance rank accuracy",
    source="srd.metrics.rank_accuracy:rank_accuracy",
    of="map and mask",
    category="localisation",
    unit="share of the highest pixels",
    better="higher",
    bounds=(0, 1),
    invariances=("positive scale of one", "shift", "increasing function", "permutation"),
    reference="Arras, Osman, Samek, Information Fusion 2022",
    note="Ties go to the first pixel. By chance it is the share of the image that the mask covers.",
)


def rank_accuracy(maps: Maps, masks: Masks, ignored: Masks | None = None) -> Scores:
    """Return the share of the M highest pixels that lie in the mask of M pixels, in [0, 1].

    Ties go to the first pixel. Ignored pixels are passed over. It is NaN for an empty mask, or a map that is constant
    or not finite.

    References
    ----------
    Arras et al. 2022, eq. 2.
    """
    maps, masks = put_last(maps, ignored), known_pixels(masks, ignored)
    sizes = masks.sum((1, 2))
    hits = (highest(maps, sizes.clamp(min=1)) & masks).sum((1, 2))
    return scores_or_nan((sizes > 0) & has_order(maps), hits / sizes.double(), maps)
