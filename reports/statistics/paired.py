"""Two values of each image: mean difference, permutation p-value and effect size."""

import math

import numpy as np
from scipy.stats import rankdata

from reports.result import Estimate, ResultModel
from reports.statistics.estimates import mean_difference
from reports.statistics.intervals import SEED, Values

EXACT_N = 12  # images up to which all sign patterns are tried
DRAWS = 10_000
ROUNDING = 1e-12  # sums of the same numbers in another order count as equal


class PairedComparison(ResultModel):
    """One comparison of two values of each image."""

    difference: Estimate
    """Mean of the first minus the second, with its t interval."""
    p: float | None
    """Two-sided p-value of the sign-flip permutation test, not adjusted; None without images."""
    effect: float | None
    """Rank-biserial correlation, -1 to 1; None where no image differs."""


def paired_comparison(first: Values, second: Values, unit: str, why: str, seed: int = SEED) -> PairedComparison:
    """Compare two values of each image; NaN where an image has none.

    Parameters
    ----------
    unit
        The unit of the difference.
    why
        The reason why images without both values are left out.
    """
    differences = first - second
    defined = differences[~np.isnan(differences)]
    return PairedComparison(
        difference=mean_difference(first, second, unit, why),
        p=float(sign_flip_p(defined[:, None], seed)[0]) if len(defined) else None,
        effect=rank_biserial(defined),
    )


def sign_flip_p(differences: Values, seed: int = SEED) -> Values:
    """Return the two-sided p-values of mean differences, if each could as well have the other sign.

    All patterns of signs are tried up to 12 images. Beyond, 10 000 are drawn, the same for all columns, and the
    observed one is counted with them.

    Parameters
    ----------
    differences
        (image, comparison); NaN where an image has none.

    References
    ----------
    Fisher 1935, section 21; Phipson, Smyth 2010 for the count.
    """
    known = np.nan_to_num(differences)
    n = len(known)
    signs = _all_signs(n) if n <= EXACT_N else np.random.default_rng(seed).choice([-1.0, 1.0], (DRAWS, n))
    least = np.abs(known.sum(0)) - ROUNDING * np.abs(known).sum(0)
    as_far = (np.abs(signs @ known) >= least).sum(0)
    return np.asarray(as_far / len(signs) if n <= EXACT_N else (as_far + 1) / (DRAWS + 1))


def least_p(n: int) -> float:
    """Return the smallest p-value that n images can have: one pattern of signs, and its mirror image."""
    return max(2.0 ** (1 - n), 1 / (DRAWS + 1) if n > EXACT_N else 0.0)


def rank_biserial(differences: Values) -> float | None:
    """Return (W+ - W-) / (W+ + W-) of Wilcoxon's signed ranks, without zeros; None where all are zero.

    References
    ----------
    Kerby 2014.
    """
    moved = differences[differences != 0]
    if not len(moved):
        return None
    ranks = rankdata(np.abs(moved))
    return float((ranks * np.sign(moved)).sum() / math.fsum(ranks))


def _all_signs(n: int) -> Values:
    bits = np.arange(2**n)[:, None] >> np.arange(n) & 1
    return np.asarray(1.0 - 2.0 * bits, np.float64)
