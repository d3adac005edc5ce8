"""How fast the target's probability falls while the pixels that a map ranks highest are removed."""

from srd.entries import MetricEntry
from srd.metrics._curves import mean_over_steps
from srd.metrics._maps import has_order, scores_or_nan
from srd.types import Curves, Scores

ENTRY = MetricEntry(
    name="deletion",
    title="Deletion",
    source="srd.metrics.deletion:deletion",
    of="curves",
    fill="blur",
    category="faithfulness",
    unit="mean probability of the target",
    better="lower",
    bounds=(0, 1),
    core=True,
    invariances=("positive scale of one", "shift", "increasing function"),
    reference="Petsiuk, Das, Saenko, BMVC 2018",
    note=(
        "RISE fills with black, which may take the answer away in any order, after a few pixels; the blurred image "
        "does so later. It is read beside that of a random order. Equal pixels go in one random order, the same for "
        "all methods."
    ),
)


def deletion(most: Curves, least: Curves) -> Scores:
    """Return the area under the target's probability while the highest pixels go first, in [0, 1]; in float64.

    It is NaN if the probability does not change or is not finite.

    References
    ----------
    Petsiuk et al. 2018.
    """
    return scores_or_nan(has_order(most), mean_over_steps(most).clamp(0, 1), most)
