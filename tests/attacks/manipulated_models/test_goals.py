"""Goals of manipulated models against slow definitions, closed forms and finite differences."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from toys import normal

from attacks.manipulated_models.goals import MANIPULATION_GOALS, Location, corner, frame, mass_centre_shift, off_top_k

N, HEIGHT, WIDTH = 3, 9, 13
MAPS, ORIGINAL = normal(N, HEIGHT, WIDTH), normal(N, HEIGHT, WIDTH, seed=1)
Slow = Callable[[NDArray[np.float64], NDArray[np.float64]], float]


def slow_location(inside: Callable[[int, int], bool]) -> Slow:
    def share(pixels: NDArray[np.float64], _: NDArray[np.float64]) -> float:
        within = sum(abs(value) for (y, x), value in np.ndenumerate(pixels) if inside(y, x))
        return float(within / np.abs(pixels).sum())

    return share


def slow_top_k(pixels: NDArray[np.float64], original: NDArray[np.float64]) -> float:
    k = round(0.05 * pixels.size)
    strongest = sorted(np.ndindex(*pixels.shape), key=lambda place: -abs(original[place]))[:k]
    return float(1 - sum(abs(pixels[place]) for place in strongest) / np.abs(pixels).sum())


def slow_centre(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    places = np.array([np.array(place) * abs(value) for place, value in np.ndenumerate(pixels)])
    centre: NDArray[np.float64] = places.sum(0) / np.abs(pixels).sum()
    return centre


def slow_shift(pixels: NDArray[np.float64], original: NDArray[np.float64]) -> float:
    distance = math.dist(slow_centre(pixels), slow_centre(original))
    return distance / math.dist((0, 0), (HEIGHT - 1, WIDTH - 1))


SLOW: dict[str, Slow] = {
    "location_frame": slow_location(lambda y, x: y < 1 or y >= HEIGHT - 1 or x < 2 or x >= WIDTH - 2),
    "location_corner": slow_location(lambda y, x: y < 4 and x < 6),
    "top_k": slow_top_k,
    "mass_centre": slow_shift,
}


@pytest.mark.parametrize("name", MANIPULATION_GOALS)
def test_a_goal_is_its_slow_definition(name: str) -> None:
    expected = [SLOW[name](one.numpy(), other.numpy()) for one, other in zip(MAPS, ORIGINAL, strict=True)]
    np.testing.assert_allclose(MANIPULATION_GOALS[name].progress(MAPS, ORIGINAL).numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("name", MANIPULATION_GOALS)
def test_its_gradient_is_the_true_one(name: str) -> None:
    maps = MAPS.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda each: MANIPULATION_GOALS[name].progress(each, ORIGINAL), maps)


@pytest.mark.parametrize("name", MANIPULATION_GOALS)
@pytest.mark.parametrize("factor", [-1.0, 1e-3, 7.0])
def test_no_goal_is_reached_by_scale_or_sign(name: str, factor: float) -> None:
    goal = MANIPULATION_GOALS[name].progress
    torch.testing.assert_close(goal(factor * MAPS, ORIGINAL), goal(MAPS, ORIGINAL))


@pytest.mark.parametrize("name", MANIPULATION_GOALS)
def test_a_goal_lies_between_0_and_1_and_a_map_that_is_0_has_none(name: str) -> None:
    values = MANIPULATION_GOALS[name].progress(
        torch.cat([MAPS, torch.zeros_like(MAPS[:1])]), torch.cat([ORIGINAL, ORIGINAL[:1]])
    )
    assert bool(((values[:N] >= 0) & (values[:N] <= 1)).all())
    assert bool(values[N].isnan())


def point(y: int, x: int) -> Tensor:
    pixels = torch.zeros(1, HEIGHT, WIDTH, dtype=torch.float64)
    pixels[0, y, x] = -2.0
    return pixels


@pytest.mark.parametrize(("place", "in_frame", "in_corner"), [((0, 0), 1, 1), ((8, 12), 1, 0), ((4, 6), 0, 0)])
def test_a_point_is_inside_or_not(place: tuple[int, int], in_frame: int, in_corner: int) -> None:
    assert float(Location(frame)(point(*place), MAPS)) == in_frame
    assert float(Location(corner)(point(*place), MAPS)) == in_corner


def test_from_corner_to_corner_is_a_diagonal() -> None:
    assert float(mass_centre_shift(point(0, 0), point(HEIGHT - 1, WIDTH - 1))) == pytest.approx(1, abs=1e-12)


def test_where_nothing_has_moved_the_gradient_is_0_and_not_nan() -> None:
    maps = MAPS.clone().requires_grad_()
    shift = mass_centre_shift(maps, MAPS)
    (gradient,) = torch.autograd.grad(shift.sum(), maps)
    assert float(shift.detach().sum()) == float(gradient.abs().max()) == 0


def test_a_map_on_the_top_pixels_alone_is_not_off_them() -> None:
    strength = MAPS.abs().flatten(1)
    least = strength.sort(1, descending=True).values[:, round(0.05 * HEIGHT * WIDTH) - 1]
    top = MAPS.abs() >= least[:, None, None]
    torch.testing.assert_close(off_top_k(MAPS * top, MAPS), torch.zeros(N, dtype=torch.float64))
    torch.testing.assert_close(off_top_k(MAPS * ~top, MAPS), torch.ones(N, dtype=torch.float64))
