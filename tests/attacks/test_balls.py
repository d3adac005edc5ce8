"""Laws of norm balls: projections are nearest points, steps are steepest, random points are each row's own."""

import pytest
import torch
from torch import Tensor
from toys import generators, normal, uniform

from attacks.balls import L2, Linf
from attacks.types import Ball

every_ball = pytest.mark.parametrize("make", [Linf, L2])


def sizes(ball: Ball, displacement: Tensor) -> Tensor:
    """Return the size of every row in the ball's norm."""
    rows = displacement.flatten(1)
    return rows.abs().amax(1) if isinstance(ball, Linf) else rows.square().sum(1).sqrt()


@every_ball
def test_a_projection_is_in_the_ball_and_its_own_repetition(make: type[Linf] | type[L2]) -> None:
    ball, far = make(0.3), 3 * normal(4, 3, 6, 5)
    once = ball.project(far)
    torch.testing.assert_close(sizes(ball, once), torch.full((4,), 0.3).double())
    torch.testing.assert_close(ball.project(once), once)


@every_ball
def test_a_projection_leaves_what_is_inside(make: type[Linf] | type[L2]) -> None:
    inside = uniform(4, 3, 6, 5) - 0.5
    ball = make(1.001 * float(sizes(make(1.0), inside).max()))
    assert torch.equal(ball.project(inside), inside)
    assert torch.equal(ball.project(torch.zeros_like(inside)), torch.zeros_like(inside))


@every_ball
def test_a_projection_is_the_nearest_point(make: type[Linf] | type[L2]) -> None:
    ball, far = make(0.2), normal(1, 1, 3, 3)
    nearest = ball.project(far)
    for seed in range(1, 50):
        other = nearest + 0.1 * normal(1, 1, 3, 3, seed=seed)
        if float(sizes(ball, other)) <= 0.2:
            assert float((far - nearest).norm()) <= float((far - other).norm()) + 1e-12


@every_ball
def test_every_row_is_projected_by_itself(make: type[Linf] | type[L2]) -> None:
    ball, far = make(0.3), normal(3, 2, 4, 4) * torch.tensor([0.01, 1.0, 10.0])[:, None, None, None]
    alone = torch.cat([ball.project(row[None]) for row in far])
    torch.testing.assert_close(ball.project(far), alone)


@every_ball
def test_a_step_has_size_one_and_gains_most_among_moves_of_its_size(make: type[Linf] | type[L2]) -> None:
    ball, gradient = make(1.0), normal(2, 3, 4, 4)
    step = ball.step(gradient)
    torch.testing.assert_close(sizes(ball, step), torch.ones(2).double())
    most = (step * gradient).sum((1, 2, 3))
    for seed in range(1, 50):
        move = ball.project(5 * normal(2, 3, 4, 4, seed=seed) + (seed % 2) * 20 * gradient)
        assert bool(((move * gradient).sum((1, 2, 3)) <= most + 1e-12).all())


@every_ball
def test_no_gradient_is_no_step(make: type[Linf] | type[L2]) -> None:
    nowhere = torch.zeros(2, 1, 3, 3)
    assert torch.equal(make(1.0).step(nowhere), nowhere)


@every_ball
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_random_points_are_in_the_ball_and_of_the_rows_own_streams(
    make: type[Linf] | type[L2], dtype: torch.dtype
) -> None:
    ball, like = make(0.3), torch.zeros(3, 3, 16, 16, dtype=dtype)
    points = ball.sample(like, generators(3))
    assert points.dtype == dtype
    assert bool((sizes(ball, points) <= 0.3 * (1 + 1e-6)).all())
    alone = [ball.sample(like[:1], generators(3)[k : k + 1]) for k in range(3)]
    torch.testing.assert_close(torch.cat(alone), points)
    assert not torch.equal(points[0], points[1])


def test_random_points_fill_the_cube_evenly() -> None:
    points = Linf(0.5).sample(torch.zeros(1, 1, 100, 100), generators(1)).flatten()
    counts = torch.histc(points, 10, -0.5, 0.5)
    assert float(((counts - 1000).square() / 1000).sum()) < 27.9  # chi-squared of 9 degrees of freedom, 0.1 %


def test_random_points_of_the_sphere_have_no_preferred_direction() -> None:
    points = L2(2.0).sample(torch.zeros(1, 1, 100, 100), generators(1))
    torch.testing.assert_close(points.norm(), torch.tensor(2.0))
    assert abs(float(points.mean())) < 3.3 * 2 / 100 / 100  # a mean of 10^4 values of standard deviation 2 / 100
