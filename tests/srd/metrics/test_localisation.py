"""Localisation against masks drawn by hand."""

import math

import torch
from toys import uniform

from srd.metrics.localisation import attribution_localisation, pointing_game

MASK = torch.zeros(1, 4, 4, dtype=torch.bool)
MASK[0, 1:3, 1:3] = True
EMPTY = torch.zeros_like(MASK)


def point(row: int, column: int) -> torch.Tensor:
    maps = torch.zeros(1, 4, 4)
    maps[0, row, column] = 1
    return maps


def test_pointing_game_asks_for_the_highest_pixel() -> None:
    assert pointing_game(point(1, 2), MASK).tolist() == [1]
    assert pointing_game(point(0, 0), MASK).tolist() == [0]
    assert pointing_game(point(1, 2) - 3 * point(0, 0), MASK).tolist() == [1], "the lowest pixel is not the highest"


def test_pointing_game_takes_the_first_of_equals() -> None:
    assert pointing_game(point(0, 3) + point(1, 1), MASK).tolist() == [0]
    assert pointing_game(point(3, 3) + point(1, 1), MASK).tolist() == [1]


def test_attribution_localisation_is_the_share_of_positive_attribution() -> None:
    maps = 3 * point(1, 1) + point(0, 0) - 100 * point(3, 3) - 100 * point(2, 2)
    assert attribution_localisation(maps, MASK).tolist() == [0.75]


def test_attribution_localisation_of_an_even_map_is_the_size_of_the_mask() -> None:
    assert attribution_localisation(torch.ones(1, 4, 4), MASK).tolist() == [0.25]


def test_neither_depends_on_the_scale_of_a_map() -> None:
    maps = uniform(1, 4, 4)
    for metric in (pointing_game, attribution_localisation):
        torch.testing.assert_close(metric(1e-6 * maps, MASK), metric(maps, MASK))


def test_what_cannot_be_measured_is_nan() -> None:
    for metric in (pointing_game, attribution_localisation):
        assert math.isnan(float(metric(point(1, 1), EMPTY)))
        assert math.isnan(float(metric(torch.zeros(1, 4, 4), MASK)))
    assert math.isnan(float(attribution_localisation(-point(1, 1), MASK)))
