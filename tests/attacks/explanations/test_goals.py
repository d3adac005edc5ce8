"""Goals against definitions pixel by pixel, closed forms, and the slopes that finite differences find."""

import math

import pytest
import torch
from torch import Tensor
from toys import normal, uniform

from attacks.explanations.goals import Away, MoveCentre, OutOf, Towards
from attacks.explanations.objectives import Goal
from srd.types import Maps, Masks

CLEAN, MAPS = normal(3, 4, 6), normal(3, 4, 6, seed=1)
REGION = uniform(3, 4, 6, seed=2) > 0.5
GOALS: dict[str, Goal] = {
    "Towards": Towards(CLEAN),
    "Away": Away(CLEAN),
    "OutOf": OutOf(REGION),
    "MoveCentre": MoveCentre(CLEAN),
}

every_goal = pytest.mark.parametrize("goal", GOALS.values(), ids=GOALS)


def slow_correlation(one: Tensor, other: Tensor) -> float:
    a, b = ([float(value) for value in some.flatten()] for some in (one, other))
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    covariance = sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True))
    sizes = (sum((x - mean_a) ** 2 for x in a), sum((y - mean_b) ** 2 for y in b))
    return covariance / math.sqrt(sizes[0] * sizes[1])


def slow_share_outside(one: Tensor, region: Tensor) -> float:
    outside = total = 0.0
    for row in range(one.shape[0]):
        for column in range(one.shape[1]):
            value = abs(float(one[row, column]))
            total += value
            outside += 0.0 if region[row, column] else value
    return outside / total


def slow_centre(one: Tensor) -> tuple[float, float]:
    rows = columns = total = 0.0
    for row in range(one.shape[0]):
        for column in range(one.shape[1]):
            value = abs(float(one[row, column]))
            total, rows, columns = total + value, rows + value * row, columns + value * column
    return rows / total, columns / total


def test_towards_and_away_are_the_correlation() -> None:
    expected = [slow_correlation(one, other) for one, other in zip(MAPS, CLEAN, strict=True)]
    torch.testing.assert_close(Towards(CLEAN)(MAPS), torch.tensor(expected).double())
    torch.testing.assert_close(Away(CLEAN)(MAPS), -torch.tensor(expected).double())


def test_out_of_is_the_share_of_the_relevance_outside() -> None:
    expected = [slow_share_outside(one, region) for one, region in zip(MAPS, REGION, strict=True)]
    torch.testing.assert_close(OutOf(REGION)(MAPS), torch.tensor(expected).double())


def test_move_centre_is_the_way_of_the_centre_in_diagonals() -> None:
    ways = [math.dist(slow_centre(one), slow_centre(other)) for one, other in zip(MAPS, CLEAN, strict=True)]
    torch.testing.assert_close(MoveCentre(CLEAN)(MAPS), torch.tensor(ways).double() / math.hypot(4, 6))


def spots(*places: tuple[int, int]) -> Maps:
    maps = torch.zeros(len(places), 4, 6, dtype=torch.float64)
    for one, place in zip(maps, places, strict=True):
        one[place] = 2.0
    return maps


def test_closed_forms() -> None:
    torch.testing.assert_close(Towards(CLEAN)(3 * CLEAN + 5), torch.ones(3).double())
    torch.testing.assert_close(Away(CLEAN)(-CLEAN), torch.ones(3).double())
    torch.testing.assert_close(MoveCentre(spots((0, 0)))(-spots((3, 4))), torch.tensor([5 / math.hypot(4, 6)]).double())
    assert float(MoveCentre(CLEAN)(CLEAN).max()) < 1e-12
    corner = spots((0, 0)) > 0
    assert OutOf(corner)(spots((0, 0))).tolist() == [0.0]
    assert OutOf(corner)(-spots((1, 0))).tolist() == [1.0]


@every_goal
def test_a_goal_knows_neither_scale_nor_the_other_rows(goal: Goal) -> None:
    for scale in (1e-9, 1e9):
        torch.testing.assert_close(goal(scale * MAPS), goal(MAPS))
    changed = MAPS.clone()
    changed[1] = CLEAN[2]
    torch.testing.assert_close(goal(changed)[[0, 2]], goal(MAPS)[[0, 2]])


def resized(tensor: Tensor) -> Tensor:
    return tensor.repeat_interleave(3, 1).repeat_interleave(3, 2)


def test_a_goal_knows_no_resolution() -> None:
    """But for the half pixel by which centres of pixels lie within their corners."""
    big, clean = resized(MAPS), resized(CLEAN)
    torch.testing.assert_close(Towards(clean)(big), Towards(CLEAN)(MAPS))
    torch.testing.assert_close(OutOf(resized(REGION))(big), OutOf(REGION)(MAPS))
    torch.testing.assert_close(MoveCentre(clean)(big), MoveCentre(CLEAN)(MAPS))


@every_goal
def test_slopes_are_those_of_finite_differences(goal: Goal) -> None:
    maps = MAPS.clone().requires_grad_()
    assert torch.autograd.gradcheck(goal, (maps,), eps=1e-7, atol=1e-6)


@every_goal
@pytest.mark.parametrize("size", [0.0, 1.0])
def test_a_map_that_says_nothing_reaches_no_goal(goal: Goal, size: float) -> None:
    silent = torch.full_like(MAPS, size)
    speaks = size != 0 and isinstance(goal, OutOf | MoveCentre)
    assert bool(goal(silent).isnan().all()) is not speaks


def test_the_centre_has_a_finite_slope_where_it_has_not_moved() -> None:
    maps = CLEAN.clone().requires_grad_()
    (slope,) = torch.autograd.grad(MoveCentre(CLEAN)(maps).sum(), maps)
    assert bool(slope.isfinite().all())


def test_single_precision_stays() -> None:
    masks: Masks = REGION
    for goal in (Towards(CLEAN.float()), Away(CLEAN.float()), OutOf(masks), MoveCentre(CLEAN.float())):
        assert goal(MAPS.float()).dtype == torch.float32
