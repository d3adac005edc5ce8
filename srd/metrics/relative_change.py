"""The size of a map's change beside the size of the map."""

from math import inf

from srd.entries import MetricEntry
from srd.metrics._maps import is_finite, scores_or_nan, total
from srd.types import Maps, Scores

ENTRY = MetricEntry(
    name="relative_change",
    title="Relative change",
    source="srd.metrics.relative_change:relative_change",
    of="two maps",
    category="similarity",
    unit="share of the first map's norm",
    better="lower",
    bounds=(0, inf),
    core=True,
    invariances=("positive scale of both", "negation", "permutation"),
    reference="Yeh, Hsieh, Suggala, Inouye, Ravikumar, NeurIPS 2019",
    note=(
        "The first map is the clean one. Definition 2 of the paper does not divide by its norm, the authors' code does."
        " A rescaled second map counts as changed."
    ),
)


def relative_change(a: Maps, b: Maps) -> Scores:
    """Return |a - b| / |a| in the L2 norm, at least 0, for clean maps a; in float64.

    It is NaN if a is zero, or a map is not finite.

    References
    ----------
    Yeh et al. 2019, definition 2.
    """
    size = total(a.double().square())
    change = total((a.double() - b.double()).square())
    return scores_or_nan((size > 0) & is_finite(a) & is_finite(b), (change / size).sqrt(), a)
