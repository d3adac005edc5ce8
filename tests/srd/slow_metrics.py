"""Every metric by its definition, one map at a time in numpy, loops where they are plainest."""

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Slow = Callable[..., float]


def slow_pearson(a: Array, b: Array) -> float:
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def slow_ssim(a: Array, b: Array) -> float:
    """Wang et al. 2004, eq. 13, one window of 11 x 11 at a time, only where it fits; data range 2."""
    if not a.any() or not b.any():
        return math.nan
    a, b = a / np.abs(a).max(), b / np.abs(b).max()
    axis = np.exp(-0.5 * ((np.arange(11) - 5) / 1.5) ** 2)
    weights = np.outer(axis, axis) / axis.sum() ** 2
    c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
    values = []
    for y in range(a.shape[0] - 10):
        for x in range(a.shape[1] - 10):
            p, q = a[y : y + 11, x : x + 11], b[y : y + 11, x : x + 11]
            mp, mq = (weights * p).sum(), (weights * q).sum()
            vp, vq = (weights * (p - mp) ** 2).sum(), (weights * (q - mq) ** 2).sum()
            cov = (weights * (p - mp) * (q - mq)).sum()
            values.append((2 * mp * mq + c1) * (2 * cov + c2) / ((mp**2 + mq**2 + c1) * (vp + vq + c2)))
    return float(np.mean(values))


def strongest(a: Array, count: int | None = None) -> set[tuple[int, int]]:
    """The places of the highest pixels, the first among equals."""
    count = max(1, round(0.05 * a.size)) if count is None else count
    order = np.argsort(-a.ravel(), kind="stable")[:count]
    return {divmod(place, a.shape[1]) for place in order.tolist()}


def slow_top_k_intersection(a: Array, b: Array) -> float:
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan
    return len(strongest(a) & strongest(b)) / len(strongest(a))


def cells(a: Array) -> Array:
    """Means over 7 x 7 cells of the map as a function of the plane that is constant on each pixel."""
    along = [overlaps(size) for size in a.shape]
    means: Array = along[0] @ a @ along[1].T * 49 / a.size
    return means


@cache
def overlaps(size: int) -> Array:
    """How much of each pixel lies in each of 7 cells along an axis: (cell, pixel)."""
    ends = [Fraction(cell * size, 7) for cell in range(8)]
    shares = [
        [max(0.0, float(min(high, Fraction(pixel + 1)) - max(low, Fraction(pixel)))) for pixel in range(size)]
        for low, high in pairwise(ends)
    ]
    return np.array(shares)


def slow_coarse_pearson(a: Array, b: Array) -> float:
    if any(np.ptp(cells(each)) <= 1e-12 * np.abs(each).max() for each in (a, b)):
        return math.nan
    return slow_pearson(cells(a), cells(b))


def _mass_centre(a: Array) -> Array:
    places = np.indices(a.shape).reshape(2, -1) + 0.5
    return np.asarray((places * np.abs(a.ravel())).sum(1) / np.abs(a).sum())


def slow_mass_centre_shift(a: Array, b: Array) -> float:
    if not a.any() or not b.any():
        return math.nan
    return float(np.linalg.norm(_mass_centre(a) - _mass_centre(b)) / np.hypot(*a.shape))


def slow_relative_change(a: Array, b: Array) -> float:
    return float(np.linalg.norm(a - b) / np.linalg.norm(a)) if a.any() else math.nan


def average_ranks(a: Array) -> Array:
    flat = a.ravel()
    return np.array([(flat < value).sum() + ((flat == value).sum() - 1) / 2 for value in flat])


def slow_spearman(a: Array, b: Array) -> float:
    return slow_pearson(average_ranks(a), average_ranks(b))


def slow_top_k_near(a: Array, b: Array) -> float:
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan
    reach = max(1, round(min(a.shape) / 75))
    recalls = [_recall(strongest(p), strongest(q), reach, a.shape) for p, q in ((a, b), (b, a))]
    return sum(recalls) / 2


def _recall(first: set[tuple[int, int]], second: set[tuple[int, int]], reach: int, shape: tuple[int, ...]) -> float:
    steps = range(-reach, reach + 1)
    near = {(y + down, x + right) for y, x in first for down in steps for right in steps} & set(np.ndindex(shape))
    chance = len(near) / math.prod(shape)
    return (len(near & second) / len(second) - chance) / (1 - chance) if chance < 1 else math.nan


def slow_sign_agreement(a: Array, b: Array) -> float:
    if np.ptp(np.abs(a)) == 0 or np.ptp(np.abs(b)) == 0:
        return math.nan
    chosen = {place for each in (a, b) for place in strongest(np.abs(each)) if each[place] != 0}
    return float(np.mean([np.sign(a[place]) == np.sign(b[place]) for place in chosen]))


def slow_sliced_w1(a: Array, b: Array) -> float:
    p, q = np.maximum(a, 0), np.maximum(b, 0)
    if not p.any() or not q.any():
        return math.nan
    distances = []
    for axis in (0, 1):
        gaps = np.cumsum(p.sum(axis)) / p.sum() - np.cumsum(q.sum(axis)) / q.sum()
        distances.append(np.abs(gaps).sum() / len(gaps))
    return float(np.mean(distances))


def slow_pointing_game(a: Array, mask: NDArray[np.bool_]) -> float:
    if np.ptp(a) == 0 or not mask.any():
        return math.nan
    return float(mask.ravel()[a.argmax()])


def slow_pointing_game_near(a: Array, mask: NDArray[np.bool_]) -> float:
    if np.ptp(a) == 0 or not mask.any():
        return math.nan
    top = np.array(np.unravel_index(a.argmax(), a.shape))
    nearest = min(np.linalg.norm(top - place) for place in np.argwhere(mask))
    return float(nearest < 15 * min(a.shape) / 224)


def slow_attribution_localisation(a: Array, mask: NDArray[np.bool_]) -> float:
    positive = np.where(a > 0, a, 0)
    if not mask.any() or not positive.any():
        return math.nan
    return float(positive[mask].sum() / positive.sum())


def slow_rank_accuracy(a: Array, mask: NDArray[np.bool_]) -> float:
    if np.ptp(a) == 0 or not mask.any():
        return math.nan
    return float(np.mean([mask[place] for place in strongest(a, int(mask.sum()))]))


def slow_roc_auc(a: Array, mask: NDArray[np.bool_]) -> float:
    if np.ptp(a) == 0 or not mask.any() or mask.all():
        return math.nan
    inside, outside = a[mask][:, None], a[~mask][None]
    return float((inside > outside).mean() + (inside == outside).mean() / 2)


def slow_sparseness(a: Array) -> float:
    values = np.abs(a.ravel())
    if not values.any():
        return math.nan
    return float(np.abs(values[:, None] - values[None]).mean() / (2 * values.mean()))


def slow_entropy(a: Array) -> float:
    if not a.any() or a.size == 1:
        return math.nan
    shares = np.abs(a.ravel()) / np.abs(a).sum()
    return -math.fsum(share * math.log(share) for share in shares.tolist() if share > 0) / math.log(a.size)


def slow_share_90(a: Array) -> float:
    if not a.any():
        return math.nan
    ratios = [float(abs(value)).as_integer_ratio() for value in a.ravel()]
    common = max(denominator for _, denominator in ratios)
    values = sorted((numerator * (common // denominator) for numerator, denominator in ratios), reverse=True)
    held, count = 0, 0
    needed = 9 * sum(values)
    while 10 * held < needed:
        held, count = held + values[count], count + 1
    return count / a.size


def slow_area(curve: Array) -> float:
    """The area of the trapezoids under a curve over 0 to 1."""
    return float(sum((left + right) / 2 for left, right in pairwise(curve)) / (len(curve) - 1))


def slow_deletion(most: Array, least: Array) -> float:
    return slow_area(most) if len(set(most.tolist())) > 1 else math.nan


def slow_insertion(most: Array, least: Array) -> float:
    """The pixels come back in the opposite order of removal."""
    return slow_area(least[::-1]) if len(set(least.tolist())) > 1 else math.nan


def slow_srg(most: Array, least: Array) -> float:
    if len(set(most.tolist())) == 1 and len(set(least.tolist())) == 1:
        return math.nan
    return slow_area(least[::-1]) - slow_area(most)


def slow_sensitivity_n(sums: Array, drops: Array) -> float:
    blocks = range(0, len(sums), len(sums) // 3)
    return float(np.mean([slow_pearson(*(each[k : k + len(sums) // 3] for each in (sums, drops))) for k in blocks]))


def slow_infidelity(sums: Array, drops: Array) -> float:
    """The square that least squares leave of the drops, given one multiple of the sums."""
    if not sums.any() or np.ptp(drops) == 0:
        return math.nan
    scaled = sums / np.abs(sums).max()
    factor = np.linalg.lstsq(scaled[:, None], drops)[0]
    return float(np.mean((drops - factor * scaled) ** 2))


def slow_complexity_rise(clean: Array, redrawn: Array) -> float:
    before, after = (histogram_entropy(each) for each in (clean, redrawn))
    return (after - before) / before if before else math.nan


def histogram_entropy(a: Array) -> float:
    """Of 100 bins, found in whole fractions, so that no value falls beside its bin."""
    values = [Fraction(value) for value in a.ravel().tolist()]
    low, width = min(values), (max(values) - min(values)) / 100
    counts = [0] * 100
    for value in values:
        counts[min(int((value - low) / width), 99) if width else 0] += 1
    return -sum(count / a.size * math.log(count / a.size) for count in counts if count)


def slow_completeness(total: Array, logit: Array, black: Array) -> float:
    claimed = float(logit) - float(black)
    return abs(float(total) - claimed) / abs(claimed) if claimed else math.nan


SLOW: Mapping[str, Slow] = {
    "pearson": slow_pearson,
    "ssim": slow_ssim,
    "top_k_intersection": slow_top_k_intersection,
    "coarse_pearson": slow_coarse_pearson,
    "mass_centre_shift": slow_mass_centre_shift,
    "relative_change": slow_relative_change,
    "spearman": slow_spearman,
    "top_k_near": slow_top_k_near,
    "sign_agreement": slow_sign_agreement,
    "sliced_w1": slow_sliced_w1,
    "pointing_game": slow_pointing_game,
    "pointing_game_near": slow_pointing_game_near,
    "attribution_localisation": slow_attribution_localisation,
    "rank_accuracy": slow_rank_accuracy,
    "roc_auc": slow_roc_auc,
    "sparseness": slow_sparseness,
    "entropy": slow_entropy,
    "share_90": slow_share_90,
    "deletion": slow_deletion,
    "deletion_black": slow_deletion,
    "insertion": slow_insertion,
    "insertion_black": slow_insertion,
    "srg": slow_srg,
    "srg_black": slow_srg,
    "srg_narrow_blur": slow_srg,
    "srg_wide_blur": slow_srg,
    "mu_fidelity": slow_spearman,
    "single_deletion": slow_spearman,
    "sensitivity_n": slow_sensitivity_n,
    "infidelity": slow_infidelity,
    "complexity_rise": slow_complexity_rise,
    "completeness": slow_completeness,
}
"""By the name of the entry."""


def slow_scores(name: str, *given: Any) -> list[float]:
    """The scores of all rows."""
    return [SLOW[name](*(each.numpy() for each in row)) for row in zip(*given, strict=True)]
