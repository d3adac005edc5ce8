"""Sign-flip p-values and the effect, against scipy and exact enumeration."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import permutation_test, ttest_rel, wilcoxon

from reports.statistics import Values, least_p, paired_comparison, rank_biserial, sign_flip_p


def differences(n: int, seed: int = 0) -> Values:
    return np.random.default_rng(seed).normal(0.4, 1, n)


@pytest.mark.parametrize("n", [1, 4, 9])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_p_is_the_share_of_sign_patterns_that_go_as_far(n: int, seed: int) -> None:
    values = differences(n, seed)
    patterns = [abs(sum(s * v for s, v in zip(signs, values, strict=True))) for signs in product([1, -1], repeat=n)]
    slow = np.mean([total >= abs(values.sum()) - 1e-9 for total in patterns])
    assert sign_flip_p(values[:, None])[0] == pytest.approx(slow, abs=1e-12)


@pytest.mark.parametrize("n", [3, 8, 12])
def test_p_is_that_of_scipy_where_all_patterns_are_tried(n: int) -> None:
    values = differences(n)
    scipys = permutation_test(
        (values, np.zeros(n)), lambda a, b, axis: (a - b).mean(axis), permutation_type="samples", n_resamples=2**12
    )
    assert sign_flip_p(values[:, None])[0] == pytest.approx(scipys.pvalue, abs=1e-12)


@pytest.mark.parametrize("n", [13, 14, 15])
def test_drawn_patterns_are_near_all_patterns(n: int) -> None:
    values = differences(n)
    exact = permutation_test(
        (values, np.zeros(n)), lambda a, b, axis: (a - b).mean(axis), permutation_type="samples", n_resamples=2**n
    ).pvalue
    drawn = sign_flip_p(values[:, None])[0]
    assert abs(drawn - exact) < 4 * np.sqrt(exact * (1 - exact) / 10_000) + 1e-4
    assert drawn == sign_flip_p(values[:, None])[0]


@pytest.mark.parametrize("n", [2, 5, 9, 12, 40])
def test_no_p_is_below_the_floor(n: int) -> None:
    assert sign_flip_p(np.ones((n, 1)))[0] == pytest.approx(least_p(n))
    assert least_p(n) >= 2 / 2**n


def test_an_image_without_a_value_is_as_if_it_were_not_there() -> None:
    values = differences(8)
    gapped = np.insert(values, 3, np.nan)
    assert sign_flip_p(gapped[:, None])[0] == pytest.approx(sign_flip_p(values[:, None])[0])


def test_p_values_are_true_to_their_level_without_an_effect() -> None:
    """Under the null, p <= 0.05 comes about one time in twenty."""
    columns = np.random.default_rng(5).standard_t(3, (20, 2000))
    assert 0.035 < (sign_flip_p(columns) <= 0.05).mean() < 0.065


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_effect_is_that_of_the_signed_ranks(seed: int) -> None:
    values: Values = np.round(differences(20, seed), 1)  # with ties and zeros
    up = wilcoxon(values, alternative="greater").statistic
    down = wilcoxon(-values, alternative="greater").statistic
    assert rank_biserial(values) == pytest.approx((up - down) / (up + down))


@pytest.mark.parametrize(("values", "effect"), [([1.0, 2, 3], 1.0), ([-1.0, -2], -1.0), ([0.0, 0.0], None)])
def test_effect_at_its_ends(values: list[float], effect: float | None) -> None:
    assert rank_biserial(np.array(values)) == effect


@pytest.mark.parametrize("n", [8, 16, 40])
def test_comparison_has_difference_interval_p_and_effect(n: int) -> None:
    rng = np.random.default_rng(n)
    first, second = rng.random(n), rng.random(n)
    found = paired_comparison(np.append(first, np.nan), np.append(second, 0.5), "share", "undefined")
    interval = ttest_rel(first, second).confidence_interval(0.95)
    assert (found.difference.low, found.difference.high) == pytest.approx((interval.low, interval.high))
    assert (found.difference.n, found.difference.interval, found.difference.excluded) == (n, "t", {"undefined": 1})
    assert found.p == pytest.approx(sign_flip_p((first - second)[:, None])[0])
    assert found.effect == rank_biserial(first - second)


def test_comparison_of_nothing_has_a_reason() -> None:
    nothing = np.full(3, np.nan)
    found = paired_comparison(nothing, nothing, "share", "undefined")
    assert (found.p, found.effect, found.difference.value, found.difference.reason) == (None, None, None, "undefined")
