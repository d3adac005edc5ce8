"""The number of images that a question needs, and the least difference that the images at hand can show."""

import math
from collections.abc import Callable
from functools import cache

from scipy.stats import beta, t

from reports.statistics.bounds import Kind, least_images
from reports.statistics.intervals import CONFIDENCE, Values

POWER = 0.8
MOST_IMAGES = 1_000_000


def detectable_difference(n: int, sd: float) -> float | None:
    """Return the mean paired difference that n images show with probability 0.8, two-sided at 5 %.

    It is (t_.975 + t_.80) sd / sqrt(n), with n - 1 degrees of freedom; None for fewer than two images.
    """
    if n < 2:
        return None
    quantiles = float(t.ppf(1 - (1 - CONFIDENCE) / 2, n - 1)) + float(t.ppf(POWER, n - 1))
    return quantiles * sd / math.sqrt(n)


def images_to_detect(difference: float, sd: float) -> int | None:
    """Return the least number of images that show a mean paired difference with probability 0.8.

    None stands for more than a million.
    """
    return _least(lambda n: (detectable_difference(n, sd) or math.inf) <= abs(difference), 2)


def images_to_decide(values: Values, kind: Kind, criterion: float) -> int | None:
    """Return the least number of images whose one-sided 95 % bound would lie on the mean's side of a criterion.

    The mean and the spread are taken to stay as they are. Outcomes: Clopper-Pearson; others: the t bound. The number is
    at least the one from which on the kind of statistic has bounds. None: the mean equals the criterion, there are
    fewer than two values, or it would take more than a million.
    """
    if len(values) < 2 or values.mean() == criterion:
        return None
    distance, is_above = abs(float(values.mean()) - criterion), bool(values.mean() > criterion)
    if kind == "outcome":
        share = float(values.mean()) if is_above else 1 - float(values.mean())
        return _outcomes_to_decide(share, criterion if is_above else 1 - criterion)
    sd = float(values.std(ddof=1))
    return _least(lambda n: t.ppf(CONFIDENCE, n - 1) * sd / math.sqrt(n) < distance, least_images(kind))


@cache
def _outcomes_to_decide(share: float, bound: float) -> int | None:
    """Return the least number of images whose bound lies above another. A report asks for the same few repeatedly."""
    return _least(lambda n: _exact_lower(share, n) > bound, least_images("outcome"))


def _exact_lower(share: float, n: int) -> float:
    """Return the lower bound of Clopper and Pearson for a share of n images, which need not be a whole number."""
    return float(beta.ppf(1 - CONFIDENCE, share * n, n - share * n + 1)) if share > 0 else 0.0


def _least(decides: Callable[[int], bool], first: int) -> int | None:
    """Return the least n from `first` on that decides, by bisection. What n decides, n + 1 decides as well."""
    low = high = first
    while not decides(high):
        low, high = high + 1, 2 * high
        if high > MOST_IMAGES:
            return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if decides(middle) else (middle + 1, high)
    return low
