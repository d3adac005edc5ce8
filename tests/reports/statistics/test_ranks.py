"""Ranks of methods, from pairs of methods."""

import numpy as np
import pytest
from scipy.stats import permutation_test
from statsmodels.stats.multitest import multipletests

from reports.statistics import Values, rank_intervals

METHODS = ("a", "b", "c", "d")


def scores(n: int, seed: int = 0) -> Values:
    return np.random.default_rng(seed).normal([0.0, 0.2, 1.5, 3.0], 0.6, (n, 4))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_ranks_are_counts_of_significant_pairs(seed: int) -> None:
    values, pairs = scores(10, seed), [(i, j) for i in range(4) for j in range(i)]
    p_values = [
        permutation_test(
            (values[:, i], values[:, j]), lambda a, b, axis: (a - b).mean(axis), permutation_type="samples"
        ).pvalue
        for i, j in pairs
    ]
    told = {pair for pair, is_told in zip(pairs, multipletests(p_values, method="holm")[0], strict=True) if is_told}
    means = values.mean(0)
    for j, found in enumerate(rank_intervals(values, METHODS, "higher")):
        rivals = [i for i in range(4) if (i, j) in told or (j, i) in told]
        assert found.low == 1 + sum(means[i] > means[j] for i in rivals)
        assert found.high == 4 - sum(means[i] < means[j] for i in rivals)
        assert set(found.better) == {METHODS[i] for i in rivals if means[i] > means[j]}
        assert found.n == 10
        assert found.value == pytest.approx(means[j])


@pytest.mark.parametrize("n", [12, 30, 80])
def test_lower_is_better_mirrors_the_ranks(n: int) -> None:
    up, down = rank_intervals(scores(n), METHODS, "higher"), rank_intervals(scores(n), METHODS, "lower")
    assert [(5 - each.high, 5 - each.low) for each in up] == [(each.low, each.high) for each in down]
    assert (up[3].low, up[3].high) == (1, 1)


def test_methods_that_tie_can_have_any_rank() -> None:
    found = rank_intervals(np.repeat(scores(20)[:, :1], 4, 1), METHODS, "higher")
    assert {(each.low, each.high) for each in found} == {(1, 4)}


def test_too_few_images_rank_nobody_and_say_why() -> None:
    found = rank_intervals(scores(7), METHODS, "higher")
    assert {(each.low, each.high) for each in found} == {(1, 4)}
    assert all("6 comparisons of 7 images cannot reach 0.05" in each.reason for each in found)


def test_a_method_without_values_can_have_any_rank() -> None:
    values = scores(20)
    values[:, 1] = np.nan
    found = rank_intervals(values, METHODS, "higher")[1]
    assert (found.value, found.n, found.low, found.high) == (None, 0, 1, 4)


def test_true_ranks_lie_in_their_intervals() -> None:
    """All ranks at once, in at least 95 % of samples but for the noise of 200."""
    true = (4, 3, 2, 1)
    held = [
        all(each.low <= rank <= each.high for each, rank in zip(found, true, strict=True))
        for found in (rank_intervals(scores(12, seed), METHODS, "higher") for seed in range(200))
    ]
    assert np.mean(held) >= 0.95 - 2 * np.sqrt(0.05 * 0.95 / 200)


@pytest.mark.parametrize("n", [1, 2, 30])
def test_a_method_alone_is_first(n: int) -> None:
    (alone,) = rank_intervals(np.ones((n, 1)), ["srd"], "higher")
    assert (alone.low, alone.high, alone.n, alone.reason) == (1, 1, n, "")
