"""How much later the target's probability falls if the pixels that a map ranks lowest are removed first."""

from srd.entries import MetricEntry
from srd.metrics._curves import mean_over_steps
from srd.metrics._maps import has_order, is_finite, scores_or_nan
from srd.types import Curves, Scores

ENTRY = MetricEntry(
    name="srg",
    title="Symmetric relevance gain",
    source="srd.metrics.srg:srg",
    of="curves",
    fill="blur",
    category="faithfulness",
    unit="mean difference of the target's probability",
    better="higher",
    bounds=(-1, 1),
    core=True,
    invariances=("positive scale of one", "shift", "increasing function"),
    reference="Blücher, Vielhaben, Strodthoff, TMLR 2024",
    note="Insertion minus deletion with one fill. A random order has 0 on average, whatever the fill.",
)


def srg(most: Curves, least: Curves) -> Scores:
    """Return the area between the curves that remove the lowest and the highest pixels first, in [-1, 1]; in float64.

    It is NaN if neither curve changes, or one is not finite.

    References
    ----------
    Blücher et al. 2024.
    """
    gain = (mean_over_steps(least) - mean_over_steps(most)).clamp(-1, 1)
    changes = (has_order(most) | has_order(least)) & is_finite(most) & is_finite(least)
    return scores_or_nan(changes, gain, most)
