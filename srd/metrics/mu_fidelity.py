"""Whether a map ranks subsets of an image's cells as the network does."""

from srd.entries import MetricEntry
from srd.metrics.spearman import spearman
from srd.types import Samples, Scores

ENTRY = MetricEntry(
    name="mu_fidelity",
    title="Mu-fidelity",
    source="srd.metrics.mu_fidelity:mu_fidelity",
    of="subsets",
    fill="mean",
    design="random",
    category="faithfulness",
    unit="rank correlation",
    better="higher",
    bounds=(-1, 1),
    core=True,
    invariances=("positive scale of one",),
    reference="Bhatt, Weller, Moura, IJCAI 2020",
    note=(
        "Of cells, as xplique has it, with masks of its own for each image; the paper takes Pearson's correlation "
        "over subsets of pixels. Quantus' faithfulness correlation removes 224 of the 150 528 numbers of an image in "
        "each subset, 0.15 %, which noise rules."
    ),
)


def mu_fidelity(sums: Samples, drops: Samples) -> Scores:
    """Return the rank correlation of the map's sums over subsets and the drops of the logit without them, in [-1, 1].

    It is NaN if either is the same for all subsets or not finite.

    References
    ----------
    Bhatt et al. 2020, definition 3.
    """
    return spearman(sums, drops)
