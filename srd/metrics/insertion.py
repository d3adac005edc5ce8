"""How fast the target's probability rises while the pixels that a map ranks highest are put back."""

from srd.entries import MetricEntry
from srd.metrics._curves import mean_over_steps
from srd.metrics._maps import has_order, scores_or_nan
from srd.types import Curves, Scores

ENTRY = MetricEntry(
    name="insertion",
    title="Insertion",
    source="srd.metrics.insertion:insertion",
    of="curves",
    fill="blur",
    category="faithfulness",
    unit="mean probability of the target",
    better="higher",
    bounds=(0, 1),
    core=True,
    invariances=("positive scale of one", "shift", "increasing function"),
    reference="Petsiuk, Das, Saenko, BMVC 2018",
    note=(
        "The pixels put back first are those removed last: it is the curve that removes the lowest first, read from "
        "its end. RISE blurs by a wider Gaussian."
    ),
)


def insertion(most: Curves, least: Curves) -> Scores:
    """Return the area under the target's probability while the highest pixels come back first, in [0, 1]; in float64.

    It is NaN if the probability does not change or is not finite.

    References
    ----------
    Petsiuk et al. 2018.
    """
    return scores_or_nan(has_order(least), mean_over_steps(least).clamp(0, 1), least)
