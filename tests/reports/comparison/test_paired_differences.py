"""The test of a change: by its interval alone, whatever the side of the criterion; failures, absences, equal values."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import t
from statsmodels.stats.proportion import proportion_confint

from reports.audit.verdicts.criteria import Criterion
from reports.comparison.change_result import ChangeOutcome
from reports.comparison.paired_differences import UNCHANGED, PairedDifferences


def criterion(metric: str = "own_image", **fields: Any) -> Criterion:
    bound: dict[str, Any] = {"at_least": 0.5} if "at_most" not in fields else {}
    return Criterion(metric=metric, condition="clean", why="a test", **bound, **fields)


def counts(gained: int, lost: int, n: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.repeat([1.0, -1.0, 0.0], [gained, lost, n - gained - lost])


def slow_outcome(gained: int, lost: int, n: int, margin: float) -> ChangeOutcome:
    """Return the outcome by the definition: an interval against a margin."""
    gains, losses = (proportion_confint(count, n, alpha=0.05, method="beta") for count in (gained, lost))
    low, high = gains[0] - losses[1], gains[1] - losses[0]
    if high < -margin:
        return "WORSE"
    if low < -margin:
        return "UNDECIDED"
    return "BETTER" if low > 0 else "NO WORSE"


CASES = [(0, 0, 35), (0, 0, 36), (0, 1, 36), (2, 30, 36), (30, 2, 36), (10, 10, 400), (0, 60, 400), (8, 9, 20)]


@pytest.mark.parametrize("margin", [0.05, 0.1, 0.3])
@pytest.mark.parametrize("case", CASES)
def test_a_rate_is_judged_by_its_exact_interval(case: tuple[int, int, int], margin: float) -> None:
    expected = slow_outcome(*case, margin)
    assert PairedDifferences(counts(*case), criterion(margin=margin), False).judge(None, 0)[0] == expected


def test_every_outcome_occurs_among_the_cases() -> None:
    assert {slow_outcome(*case, 0.1) for case in CASES} == {"WORSE", "UNDECIDED", "NO WORSE", "BETTER"}


@pytest.mark.parametrize("shift", [-0.4, -0.12, -0.01, 0.2])
def test_a_difference_is_judged_by_its_t_interval(shift: float) -> None:
    values = np.random.default_rng(3).normal(shift, 0.1, 24)
    half = t.ppf(0.95, 23) * values.std(ddof=1) / np.sqrt(24)
    low, high = values.mean() - half, values.mean() + half
    found = PairedDifferences(values, criterion("srg_above_random"), False)
    assert found.interval == pytest.approx((low, high))
    expected = "WORSE" if high < -0.1 else "UNDECIDED" if low < -0.1 else "BETTER" if low > 0 else "NO WORSE"
    assert found.judge(None, 0) == (expected, "")


@pytest.mark.parametrize("case", CASES)
def test_where_low_values_are_better_a_gain_is_a_loss(case: tuple[int, int, int]) -> None:
    gained, lost, n = case
    is_good = PairedDifferences(counts(gained, lost, n), criterion(), False)
    is_bad = PairedDifferences(counts(lost, gained, n), criterion(at_most=0.5), False)
    assert is_bad.judge(None, 0) == is_good.judge(None, 0)
    low, high = is_good.interval
    assert low is not None
    assert high is not None
    assert is_bad.interval == pytest.approx((-high, -low))


def test_a_new_failure_is_worse_whatever_the_margin() -> None:
    same = PairedDifferences(counts(0, 0, 400), criterion(), False)
    for verdict in ("PASS", "WARN"):
        outcome, reason = same.judge((verdict, "FAIL"), 0)
        assert (outcome, reason) == ("WORSE", f"the verdict of this criterion went from {verdict} to FAIL")
    for verdicts in (("FAIL", "FAIL"), ("INCONCLUSIVE", "FAIL"), ("FAIL", "PASS"), ("PASS", "INCONCLUSIVE")):
        assert same.judge(verdicts, 0) == ("NO WORSE", "")


def test_equal_values_say_that_nothing_changed_only_of_one_network() -> None:
    few = np.zeros(4)
    assert PairedDifferences(few, criterion(), True).judge(None, 0) == ("NO WORSE", UNCHANGED)
    assert PairedDifferences(few, criterion(), True).interval == (0.0, 0.0)
    assert PairedDifferences(few, criterion(), False).judge(None, 0)[0] == "UNDECIDED"
    means = PairedDifferences(np.zeros(40), criterion("srg_above_random"), False)
    assert means.judge(None, 0) == ("UNDECIDED", "no bound: all values are equal")


def test_too_few_pairs_and_values_that_vanished_leave_it_open() -> None:
    many = PairedDifferences(counts(0, 0, 400), criterion(), False)
    assert many.judge(None, 21)[0] == "NO WORSE"  # 5 % of 421
    assert many.judge(None, 22) == ("UNDECIDED", "22 images had a value before and have none now")
    asked = PairedDifferences(counts(0, 0, 40), criterion(min_n=41), False)
    assert asked.judge(None, 0) == ("UNDECIDED", "40 pairs, where the criterion asks for 41")
    none = PairedDifferences(np.empty(0), criterion("srg_above_random"), True)
    assert none.judge(None, 0)[0] == "UNDECIDED"
