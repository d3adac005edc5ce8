"""The two maps that explain nothing."""

import pytest
import torch
from scipy.ndimage import sobel
from toys import classes, generators, normal, small

from srd.baselines.edges import edges
from srd.baselines.random import random


def test_edges_are_the_sobel_magnitude() -> None:
    inputs = normal(2, 3, 7, 9)
    maps = edges(small(), inputs, classes(2))
    for map_, image in zip(maps, inputs, strict=True):
        grey = image.mean(0).numpy()
        expected = sobel(grey, 0, mode="nearest") ** 2 + sobel(grey, 1, mode="nearest") ** 2
        torch.testing.assert_close(map_.square(), torch.from_numpy(expected))


def test_edges_do_not_depend_on_the_class() -> None:
    inputs = normal(2, 3, 7, 9)
    assert torch.equal(edges(small(), inputs, classes(2)), edges(small(1), inputs, classes(2) + 1))


def test_random_maps_are_standard_normal_and_come_from_their_rows_stream() -> None:
    inputs = normal(3, 3, 40, 40, dtype=torch.float32)
    maps = random(small(), inputs, classes(3), generators(3))
    assert abs(float(maps.mean())) < 5 / maps.numel() ** 0.5
    assert abs(float(maps.std()) - 1) < 5 / (2 * maps.numel()) ** 0.5
    assert torch.equal(maps[1:2], random(small(), inputs[:1], classes(1), generators(3)[1:2]))


def test_random_maps_need_streams() -> None:
    with pytest.raises(ValueError, match="generator"):
        random(small(), normal(1, 3, 4, 4), classes(1))
