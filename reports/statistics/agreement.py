"""Agreement of the metrics of one category on the order of the methods."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from scipy.stats import rankdata

from reports.result import Estimate
from reports.statistics.estimates import estimate_of_pairs, no_estimate
from reports.statistics.intervals import SEED, Values

UNIT = "Kendall's W of the orders of the methods, 0 = unrelated, 1 = the same"


def concordance(values: Values, better: Sequence[Literal["higher", "lower"]], seed: int = SEED) -> Estimate:
    """Return Kendall's W between metrics: each ranks the methods by its mean over images. Ties are corrected.

    It has no value where there are fewer than two metrics or three methods, or all methods tie by every metric.

    Parameters
    ----------
    values
        (metric, image, method). An image counts if it has all values; NaN elsewhere.
    better
        The direction of each metric.

    References
    ----------
    Kendall, Babington Smith 1939.
    """
    metrics, images, methods = values.shape
    complete = values[:, ~np.isnan(values).any((0, 2))]
    absent = images - complete.shape[1]
    if metrics < 2 or methods < 3:
        return no_estimate(
            UNIT, {}, f"{metrics} metrics of {methods} methods have no concordance: it takes two of three"
        )
    signs = np.array([1.0 if each == "higher" else -1.0 for each in better])
    samples = [sign * complete[k, :, j] for k, sign in enumerate(signs) for j in range(methods)]

    def statistic(*columns: Values, axis: int) -> Any:
        means = np.stack([column.mean(axis) for column in columns])
        return kendalls_w(means.reshape(metrics, methods, *means.shape[1:]))

    excluded = {"a score is undefined or missing": absent} if absent else {}
    if complete.shape[1] and np.isnan(statistic(*samples, axis=-1)):
        return no_estimate(UNIT, {}, "all methods tie by every metric")
    return estimate_of_pairs(statistic, samples, UNIT, excluded, seed)


def kendalls_w(scores: Values) -> Values:
    """Return the coefficient of concordance of scores (metric, method, ...), corrected for ties; NaN if all tie."""
    metrics, methods = scores.shape[:2]
    ranks = rankdata(scores, axis=1)
    spread = ((ranks.sum(0) - metrics * (methods + 1) / 2) ** 2).sum(0)
    ranks_spread = ((ranks - (methods + 1) / 2) ** 2).sum((0, 1))  # (n^3 - n) / 12 for each metric, less its ties
    with np.errstate(invalid="ignore"):
        return np.asarray(spread / (metrics * ranks_spread))
