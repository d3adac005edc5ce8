"""Whether a map ranks the cells of an image as the network does when it loses each alone."""

from srd.entries import MetricEntry
from srd.metrics.spearman import spearman
from srd.types import Samples, Scores

ENTRY = MetricEntry(
    name="single_deletion",
    title="Single deletion",
    source="srd.metrics.single_deletion:single_deletion",
    of="subsets",
    fill="mean",
    design="cells",
    category="faithfulness",
    unit="rank correlation",
    better="higher",
    bounds=(-1, 1),
    core=True,
    invariances=("positive scale of one",),
    reference="Hesse, Schaub-Meyer, Roth, 2024",
    note="Without the fine-tuning by which the authors teach the network to read images with a cell removed.",
)


def single_deletion(sums: Samples, drops: Samples) -> Scores:
    """Return the rank correlation of the map's sums over cells and the drops of the logit without each, in [-1, 1].

    It is NaN if either is the same for all cells or not finite.
    """
    return spearman(sums, drops)
