"""How far what the network loses is from being proportional to a map's sums."""

from math import inf

from srd.entries import MetricEntry
from srd.metrics._maps import has_order, is_finite, scores_or_nan
from srd.types import Samples, Scores

ENTRY = MetricEntry(
    name="infidelity",
    title="Infidelity",
    source="srd.metrics.infidelity:infidelity",
    of="subsets",
    fill="mean",
    design="random",
    category="faithfulness",
    unit="squared logits",
    better="lower",
    bounds=(0, inf),
    invariances=("positive scale of one", "negation"),
    reference="Yeh, Hsieh, Suggala, Inouye, Ravikumar, NeurIPS 2019",
    note=(
        "With the factor that fits best, as captum has it if asked to normalise: the mean square of the drops times "
        "1 - cos^2 of sums and drops. In units of the network: networks do not compare, and a map of the wrong sign "
        "is as good as its opposite. Sums and drops are not centred: where every removal lowers the answer, a map of "
        "one sign does well whatever it shows; read it beside edges and mu-fidelity, which ranks."
    ),
)


def infidelity(sums: Samples, drops: Samples) -> Scores:
    """Return the mean square of the drops of the logit less the best multiple of the map's sums, at least 0.

    In float64. It is NaN if the sums are 0, the drops are the same for all subsets, or either is not finite.

    References
    ----------
    Yeh et al. 2019.
    """
    s, d = sums.double().contiguous(), drops.double().contiguous()
    factor = (d * s).mean(1) / s.square().mean(1)
    left = (d - factor[:, None] * s).square().mean(1)
    return scores_or_nan(sums.any(1) & is_finite(sums) & has_order(drops), left, sums)
