"""Sparseness against closed forms and the mean absolute difference."""

import math

import torch
from toys import normal

from srd.metrics.complexity import sparseness


def test_an_even_map_is_not_sparse() -> None:
    torch.testing.assert_close(sparseness(torch.full((1, 5, 6), 0.3)), torch.zeros(1))


def test_one_pixel_of_n_gives_one_minus_one_nth() -> None:
    maps = torch.zeros(1, 5, 6)
    maps[0, 2, 2] = -7
    torch.testing.assert_close(sparseness(maps), torch.tensor([1 - 1 / 30]))


def test_the_ramp_has_a_closed_form() -> None:
    n = 30
    maps = torch.arange(1, n + 1).reshape(1, 5, 6).double()
    torch.testing.assert_close(sparseness(maps), torch.tensor([(n - 1) / (3 * n)]).double())


def test_it_is_half_the_relative_mean_absolute_difference() -> None:
    maps = normal(3, 6, 7)
    values = maps.abs().flatten(1)
    differences = (values[:, :, None] - values[:, None, :]).abs().mean((1, 2))
    torch.testing.assert_close(sparseness(maps), differences / (2 * values.mean(1)))


def test_sign_and_scale_do_not_matter_and_a_zero_map_has_none() -> None:
    maps = normal(2, 6, 7)
    torch.testing.assert_close(sparseness(-1e-7 * maps), sparseness(maps))
    assert math.isnan(float(sparseness(torch.zeros(1, 4, 4))))
