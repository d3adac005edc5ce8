"""Whether the highest pixel of a map lies on the object."""

from srd.entries import MetricEntry
from srd.metrics._maps import has_order, known_pixels, put_last, scores_or_nan
from srd.types import Maps, Masks, Scores

ENTRY = MetricEntry(
    name="pointing_game",
    title="Pointing game",
    source="srd.metrics.pointing_game:pointing_game",
    of="map and mask",
    category="localisation",
    unit="share of images",
    better="higher",
    bounds=(0, 1),
    is_rate=True,
    core=True,
    invariances=("positive scale of one", "shift", "increasing function", "permutation"),
    reference="Zhang et al., IJCV 2018",
    note="Without the tolerance of 15 pixels that `pointing_game_near` has.",
)


def pointing_game(maps: Maps, masks: Masks, ignored: Masks | None = None) -> Scores:
    """Return 1 if the highest pixel, the first among equals, lies in the mask, else 0, without tolerance.

    Ignored pixels are passed over. It is NaN for an empty mask, or a map that is constant or not finite.

    References
    ----------
    Zhang et al. 2018.
    """
    maps, masks = put_last(maps, ignored), known_pixels(masks, ignored)
    flat, inside = maps.flatten(1), masks.flatten(1)
    first = flat.eq(flat.amax(1, keepdim=True)).int().argmax(1, keepdim=True)
    hit = inside.gather(1, first)[:, 0].to(maps.dtype)
    return scores_or_nan(inside.any(1) & has_order(maps), hit, maps)
