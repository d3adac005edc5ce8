"""How far the sum of a map is from the difference that it claims to be."""

from math import inf

import torch

from srd.entries import MetricEntry
from srd.metrics._maps import scores_or_nan
from srd.types import Scores

ENTRY = MetricEntry(
    name="completeness",
    title="Completeness gap",
    source="srd.metrics.completeness:completeness",
    of="sum",
    category="faithfulness",
    unit="share of the difference",
    better="lower",
    bounds=(0, inf),
    core=True,
    invariances=("permutation",),
    reference="Sundararajan, Taly, Yan, ICML 2017",
    note="Of methods that claim it alone. Quantus tests the two sides for equality of floating-point numbers.",
)


def completeness(sums: Scores, logit: Scores, black: Scores) -> Scores:
    """Return the distance of the map's sum from the logit less that of the black image, over the size of the latter.

    It is at least 0; in float64. It is NaN if the two logits are equal, or a number is not finite.

    References
    ----------
    Sundararajan et al. 2017, proposition 1.
    """
    claimed = logit.double() - black.double()
    gap = (sums.double() - claimed).abs() / claimed.abs()
    defined = (claimed != 0) & torch.isfinite(claimed) & torch.isfinite(sums)
    return scores_or_nan(defined, gap, sums)
