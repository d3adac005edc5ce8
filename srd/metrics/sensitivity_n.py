"""Whether a map's sum over a subset is proportional to what the network loses with it."""

from srd.entries import MetricEntry
from srd.metrics._maps import has_order, scores_or_nan
from srd.metrics.pearson import pearson
from srd.types import Samples, Scores

ENTRY = MetricEntry(
    name="sensitivity_n",
    title="Sensitivity-n",
    source="srd.metrics.sensitivity_n:sensitivity_n",
    of="subsets",
    fill="mean",
    design="sizes",
    category="faithfulness",
    unit="correlation",
    better="higher",
    bounds=(-1, 1),
    invariances=("positive scale of one",),
    reference="Ancona, Ceolini, Öztireli, Gross, ICLR 2018",
    note="The mean over three sizes of subsets of cells; the paper shows a curve over sizes of subsets of pixels.",
)


def sensitivity_n(sums: Samples, drops: Samples, *, sizes: int = 3) -> Scores:
    """Return the correlation of the map's sums and the drops of the logit, in [-1, 1]: the mean over sizes.

    The subsets are as many equal blocks as there are sizes. It is NaN if, within a block, either is the same for all
    subsets or not finite; in float64.

    References
    ----------
    Ancona et al. 2018.
    """
    of_sizes = [each.double().contiguous().unflatten(1, (sizes, -1)).flatten(0, 1) for each in (sums, drops)]
    defined = has_order(of_sizes[0]) & has_order(of_sizes[1])
    scores = scores_or_nan(defined, pearson(*of_sizes), of_sizes[0]).unflatten(0, (-1, sizes)).mean(1)
    mean: Scores = scores.to(sums.dtype)
    return mean
