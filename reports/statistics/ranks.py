"""Ranks of methods, with simultaneous 95 % intervals."""

from collections.abc import Sequence
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reports.result import ResultModel
from reports.statistics.intervals import SEED, Values
from reports.statistics.multiplicity import LEVEL, holm, refusal_of_few
from reports.statistics.paired import sign_flip_p


class RankInterval(ResultModel):
    """The ranks, 1 the best, that a method can have: all of them hold at once for 95 % of samples."""

    method: str
    value: float | None
    """Mean over the images that have a value; None where none has."""
    low: int
    high: int
    n: int
    """Images of which this method has a value."""
    better: tuple[str, ...]
    """Methods that are significantly better than it."""
    worse: tuple[str, ...]
    reason: str = ""
    """Empty, or why no two methods can be told apart by so few images."""


def rank_intervals(
    values: Values, methods: Sequence[str], better: Literal["higher", "lower"], seed: int = SEED
) -> tuple[RankInterval, ...]:
    """Return the ranks that each method can have, from all pairs of methods, adjusted by Holm.

    Parameters
    ----------
    values
        (image, method); NaN where there is none.

    References
    ----------
    Mogstad, Romano, Shaikh, Wilhelm 2024, "Inference for Ranks with Applications to Mobility across Neighbourhoods".
    """
    pairs = list(combinations(range(len(methods)), 2))
    scores = values if better == "higher" else -values
    wins, reason = _significant_wins(scores, pairs, seed)
    return tuple(
        RankInterval(
            method=name,
            value=float(np.nanmean(values[:, j])) if (~np.isnan(values[:, j])).any() else None,
            low=1 + int(wins[:, j].sum()),
            high=len(methods) - int(wins[j].sum()),
            n=int((~np.isnan(values[:, j])).sum()),
            better=tuple(methods[i] for i in np.flatnonzero(wins[:, j]).tolist()),
            worse=tuple(methods[i] for i in np.flatnonzero(wins[j]).tolist()),
            reason=reason,
        )
        for j, name in enumerate(methods)
    )


def _significant_wins(scores: Values, pairs: Sequence[tuple[int, int]], seed: int) -> tuple[NDArray[np.bool_], str]:
    """Return whether method i is significantly better than j (i, j), and why none can be."""
    wins = np.zeros((scores.shape[1],) * 2, bool)
    differences = np.array([scores[:, i] - scores[:, j] for i, j in pairs]).reshape(len(pairs), len(scores)).T
    known = ~np.isnan(differences)
    reason = refusal_of_few(known.sum(0).tolist())
    if not pairs or reason:
        return wins, reason
    adjusted = holm(sign_flip_p(differences, seed))
    totals = np.nansum(differences, 0)
    for (i, j), p, total in zip(pairs, adjusted, totals, strict=True):
        wins[i, j], wins[j, i] = p <= LEVEL and total > 0, p <= LEVEL and total < 0
    return wins, ""
