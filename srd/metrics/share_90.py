"""How few pixels hold nearly all of a map."""

from srd.entries import MetricEntry
from srd.metrics._maps import ascending, is_finite, scores_or_nan
from srd.types import Maps, Scores

ENTRY = MetricEntry(
    name="share_90",
    title="Share of pixels holding 90 %",
    source="srd.metrics.share_90:share_90",
    of="map",
    category="complexity",
    unit="share of pixels",
    better=None,
    bounds=(0, 1),
    invariances=("positive scale of one", "negation", "permutation"),
    note="In place of the effective complexity of Nguyen and Martinez 2020, which counts pixels above a fixed value.",
)


def share_90(maps: Maps) -> Scores:
    """Return the least share of the pixels that holds 90 % of |map|, in (0, 1]; sums in float64.

    It is NaN for a zero map and one that is not finite.
    """
    strongest_first = ascending(maps.abs().flatten(1)).flip(1)
    held = strongest_first.double().cumsum(1)
    whole = held[:, -1:]
    needed = (10 * held < 9 * whole).sum(1) + 1
    return scores_or_nan((whole[:, 0] > 0) & is_finite(maps), needed.double() / held.shape[1], maps)
