"""Non-inferiority, and equivalence against statsmodels."""

import numpy as np
import pytest
from statsmodels.stats.weightstats import ttost_paired

from reports.statistics import bound_below, equivalence, non_inferiority


@pytest.mark.parametrize("shift", [0.0, 0.05, 0.09, 0.2, -0.2])
def test_equivalence_is_that_of_statsmodels(shift: float) -> None:
    rng = np.random.default_rng(3)
    first, second = rng.normal(shift, 0.1, 30), rng.normal(0, 0.05, 30)
    p = ttost_paired(first, second, -0.1, 0.1)[0]
    assert equivalence(first - second).holds is bool(p < 0.05)


@pytest.mark.parametrize("margin", [0.02, 0.1, 0.5])
def test_a_wider_margin_is_easier(margin: float) -> None:
    values = np.random.default_rng(3).normal(0.01, 0.1, 30)
    assert equivalence(values, margin).holds is bool(ttost_paired(values, np.zeros(30), -margin, margin)[0] < 0.05)


@pytest.mark.parametrize("n", [0, 1, 7])
def test_few_images_leave_equivalence_open(n: int) -> None:
    found = equivalence(np.zeros(n))
    assert found.holds is None
    assert found.lower.reason == "no bound: fewer than 8 images"


@pytest.mark.parametrize(("hits", "holds"), [(40, True), (36, True), (33, False)])
def test_non_inferiority_is_the_lower_bound(hits: int, holds: bool) -> None:
    outcomes = (np.arange(40) < hits).astype(float)
    found = non_inferiority(outcomes, "outcome", 0.75)
    assert found.holds is holds
    assert found.bound == bound_below(outcomes, "outcome")


def test_few_images_leave_non_inferiority_open() -> None:
    found = non_inferiority(np.linspace(0, 1, 31), "mean", 0.2)
    assert (found.holds, found.bound.reason) == (None, "no bound: fewer than 32 images")
