"""Similarity of two maps, against numpy and a slow SSIM."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from toys import normal

from srd.metrics.similarity import pearson, ssim, top_k_intersection

SIMILARITIES = (pearson, ssim, top_k_intersection)
Array = NDArray[np.float64]


def slow_ssim(a: Array, b: Array) -> float:
    """Wang et al. 2004, eq. 13, one window of 11 x 11 at a time, only where it fits; data range 2."""
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


def test_pearson_is_numpys() -> None:
    a, b = normal(5, 7, 9), normal(5, 7, 9, seed=1) + 0.5 * normal(5, 7, 9)
    expected = [np.corrcoef(p.flatten(), q.flatten())[0, 1] for p, q in zip(a.numpy(), b.numpy(), strict=True)]
    np.testing.assert_allclose(pearson(a, b).numpy(), expected, atol=1e-12)


def test_ssim_is_the_definition() -> None:
    a = normal(3, 14, 17)
    b = 0.7 * a + 0.3 * normal(3, 14, 17, seed=1)
    expected = [slow_ssim(p, q) for p, q in zip(a.numpy(), b.numpy(), strict=True)]
    np.testing.assert_allclose(ssim(a, b).numpy(), expected, atol=1e-9)


def test_ssim_does_not_depend_on_the_scale_of_a_map() -> None:
    a, b = normal(2, 12, 12), normal(2, 12, 12, seed=1)
    torch.testing.assert_close(ssim(1e-6 * a, 300 * b), ssim(a, b))


def test_top_k_counts_the_common_strongest_pixels() -> None:
    a = torch.zeros(1, 10, 10).double()
    b = torch.zeros(1, 10, 10).double()
    a[0, 0, :5] = torch.tensor([5.0, 4, 3, 2, 1])
    b[0, 0, 3:8] = torch.tensor([5.0, 4, 3, 2, 1])
    assert top_k_intersection(a, b).tolist() == [2 / 5]


def test_top_k_breaks_ties_by_position() -> None:
    tied = torch.zeros(1, 10, 10).double()
    tied[0, 9, 9] = -1
    first = torch.zeros(1, 10, 10).double()
    first[0, 0, :5] = 1
    assert top_k_intersection(tied, first).tolist() == [1.0]


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_rows_are_scored_alone(similarity: object) -> None:
    assert callable(similarity)
    a, b = normal(4, 12, 13), normal(4, 12, 13, seed=1)
    together = similarity(a, b)
    alone = torch.cat([similarity(a[i : i + 1], b[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(together, alone)


def test_a_map_without_contrast_has_no_similarity() -> None:
    flat, other = torch.full((1, 12, 12), 0.1), normal(1, 12, 12, dtype=torch.float32)
    assert math.isnan(float(pearson(flat, other)))
    assert math.isnan(float(pearson(other, flat)))
    assert math.isnan(float(top_k_intersection(flat, other)))
    assert math.isnan(float(top_k_intersection(other, flat)))
    assert math.isnan(float(ssim(torch.zeros(1, 12, 12), other)))


def test_ssim_refuses_maps_smaller_than_its_window() -> None:
    with pytest.raises(ValueError, match="11x11"):
        ssim(normal(1, 10, 12), normal(1, 10, 12))
