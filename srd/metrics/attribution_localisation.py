"""The share of a map that lies on the object."""

from srd.entries import MetricEntry
from srd.metrics._maps import is_finite, known_pixels, scores_or_nan
from srd.types import Maps, Masks, Scores

ENTRY = MetricEntry(
    name="attribution_localisation",
    title="Attribution localisation",
    source="srd.metrics.attribution_localisation:attribution_localisation",
    of="map and mask",
    category="localisation",
    unit="share of the positive attribution",
    better="higher",
    bounds=(0, 1),
    core=True,
    invariances=("positive scale of one", "permutation"),
    reference="Kohlbrenner et al., IJCNN 2020",
    note="By chance it is the share of the image that the mask covers.",
)


def attribution_localisation(maps: Maps, masks: Masks, ignored: Masks | None = None) -> Scores:
    """Return the share of the positive attribution that lies in the mask, in [0, 1].

    Attribution on ignored pixels does not count. It is NaN for an empty mask, or a map that has no positive pixel or is
    not finite.

    References
    ----------
    Kohlbrenner et al. 2020, eq. 10.
    """
    positive = maps.clamp(min=0)
    positive = (positive if ignored is None else positive.masked_fill(ignored, 0)).flatten(1)
    inside = known_pixels(masks, ignored).flatten(1)
    share = (positive * inside).sum(1) / positive.sum(1)
    return scores_or_nan(inside.any(1) & is_finite(maps), share, maps)
