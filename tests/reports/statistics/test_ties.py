"""Intervals do not hang on the last bit of a statistic: the same images in another order are a tie."""

from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from reports.statistics.intervals import bootstrap_interval, interval_of_pairs

VALUES = np.random.default_rng(3).normal(0.5, 0.2, 6)


def noisy_mean(values: NDArray[np.float64], axis: int, seed: int) -> NDArray[np.float64]:
    """Return means with an error of a few last bits, as another order of the sum makes."""
    means = np.mean(values, axis=axis)
    return np.asarray(means * (1 + 1e-15 * np.random.default_rng(seed).integers(-3, 4, np.shape(means))))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("seed", range(3))
def test_last_bits_move_no_interval(scale: float, seed: int) -> None:
    found = interval_of_pairs(partial(noisy_mean, seed=seed), (scale * VALUES,))
    assert found == pytest.approx(bootstrap_interval(scale * VALUES), rel=1e-6)
