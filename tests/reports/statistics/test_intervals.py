"""Two-sided intervals against statsmodels."""

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

from reports import statistics
from reports.statistics import NoInterval


@pytest.mark.parametrize("n", [1, 9, 64])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_intervals_of_rates_are_those_of_statsmodels(n: int, share: float) -> None:
    hits = round(share * n)
    assert statistics.wilson_interval(hits, n) == pytest.approx(proportion_confint(hits, n, method="wilson"), abs=1e-9)
    assert statistics.exact_interval(hits, n) == pytest.approx(proportion_confint(hits, n, method="beta"), abs=1e-9)


@pytest.mark.parametrize("n", [5, 8, 40])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_t_interval_is_that_of_statsmodels(n: int, confidence: float) -> None:
    values = np.random.default_rng(n).standard_t(3, n)
    expected = DescrStatsW(values).tconfint_mean(1 - confidence)
    assert statistics.t_interval(values, confidence) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("values", [[0.3] * 9, [0.1, 0.2, 0.3, 0.4], []])
def test_no_t_interval_of_equal_or_few_values(values: list[float]) -> None:
    with pytest.raises(NoInterval):
        statistics.t_interval(np.array(values))
