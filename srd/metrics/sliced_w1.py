"""How far the positive attribution moves along the axes of the image."""

from torch import Tensor

from srd.entries import MetricEntry
from srd.metrics._maps import is_finite, scores_or_nan
from srd.types import Maps, Scores

ENTRY = MetricEntry(
    name="sliced_w1",
    title="Sliced Wasserstein-1",
    source="srd.metrics.sliced_w1:sliced_w1",
    of="two maps",
    category="similarity",
    unit="share of the side",
    better="lower",
    bounds=(0, 1),
    symmetric=True,
    invariances=("positive scale of both", "positive scale of one"),
    note="Of the positive parts alone, along the two axes. The largest value of a side of n pixels is (n - 1) / n.",
)


def sliced_w1(a: Maps, b: Maps) -> Scores:
    """Return the Wasserstein-1 distance of the positive parts' marginals, over the side, in [0, 1]; in float64.

    It is the mean over both axes. It is NaN if a map has no positive pixel or is not finite.
    """
    distances = [_distance(p, q) for p, q in zip(_marginals(a), _marginals(b), strict=True)]
    return scores_or_nan(is_finite(a) & is_finite(b), (distances[0] + distances[1]) / 2, a)


def _marginals(maps: Maps) -> tuple[Tensor, Tensor]:
    """Return the sums of the positive part over rows and over columns: (n, w) and (n, h)."""
    mass = maps.clamp(min=0).double()
    return mass.sum(1), mass.sum(2)


def _distance(p: Tensor, q: Tensor) -> Tensor:
    """Return the distance of two distributions over n places, over n; NaN if one has no mass."""
    gaps = p.cumsum(1) / p.sum(1, keepdim=True) - q.cumsum(1) / q.sum(1, keepdim=True)
    return gaps.abs()[:, :-1].sum(1) / p.shape[1]
