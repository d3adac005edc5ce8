"""Draws become one value for each image."""

import numpy as np
import pytest

from reports.statistics import hits_in_all_draws, means_over_draws

NAN = np.nan


@pytest.mark.parametrize(
    ("draws", "mean", "hit"),
    [([1, 1, 1], 1, 1), ([1, 0, 1], 2 / 3, 0), ([NAN, 1, 1], 1, 1), ([NAN, 0, 1], 0.5, 0), ([NAN] * 3, NAN, NAN)],
)
def test_draws_of_an_image(draws: list[float], mean: float, hit: float) -> None:
    values = np.array([draws, [0, 0, 0]], float)
    assert means_over_draws(values) == pytest.approx([mean, 0], nan_ok=True)
    assert hits_in_all_draws(values) == pytest.approx([hit, 0], nan_ok=True)
