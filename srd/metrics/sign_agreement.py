"""Whether the strongest pixels of two maps speak for the same side."""

from srd.entries import MetricEntry
from srd.metrics._maps import has_order, scores_or_nan, top_k
from srd.types import Maps, Masks, Scores

ENTRY = MetricEntry(
    name="sign_agreement",
    title="Agreement of signs",
    source="srd.metrics.sign_agreement:sign_agreement",
    of="two maps",
    category="similarity",
    unit="share of the strongest pixels",
    better="higher",
    bounds=(0, 1),
    symmetric=True,
    invariances=("positive scale of both", "positive scale of one", "negation", "permutation"),
    needs_sign=True,
    note="A pixel of value 0 is never among the strongest, and has no sign that agrees. Ties go to the first pixel.",
)


def sign_agreement(a: Maps, b: Maps) -> Scores:
    """Return the share of the union of the 5 % strongest pixels of |a| and |b| with equal sign, in [0, 1].

    It is NaN if |a| or |b| is constant, or a map is not finite; it says nothing of methods whose maps have no sign.
    """
    strongest = _strongest(a) | _strongest(b)
    agreeing = strongest & (a.sign() == b.sign())
    share = agreeing.sum((1, 2)) / strongest.sum((1, 2)).double()
    return scores_or_nan(has_order(a.abs()) & has_order(b.abs()), share, a)


def _strongest(maps: Maps) -> Masks:
    return top_k(maps.abs()) & (maps != 0)
