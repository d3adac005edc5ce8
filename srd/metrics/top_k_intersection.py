"""The strongest pixels that two maps share."""

from srd.entries import MetricEntry
from srd.metrics._maps import has_order, scores_or_nan, top_k
from srd.types import Maps, Scores

ENTRY = MetricEntry(
    name="top_k_intersection",
    title="Top-5 % intersection",
    source="srd.metrics.top_k_intersection:top_k_intersection",
    of="two maps",
    category="similarity",
    unit="share of the highest pixels",
    better="higher",
    bounds=(0, 1),
    core=True,
    symmetric=True,
    invariances=("positive scale of both", "positive scale of one", "shift", "increasing function", "permutation"),
    reference="Ghorbani, Abid, Zou, AAAI 2019",
    note="Ties go to the first pixel.",
)


def top_k_intersection(a: Maps, b: Maps) -> Scores:
    """Return the share of the 5 % highest pixels that both maps have, in [0, 1]; ties go to the first pixel.

    It is NaN if a map is constant, because such a map has no highest pixels, or not finite.

    References
    ----------
    Ghorbani et al. 2019.
    """
    first, second = top_k(a), top_k(b)
    shared = (first & second).sum((1, 2)).to(a.dtype) / first.sum((1, 2))
    return scores_or_nan(has_order(a) & has_order(b), shared, a)
