"""The L-inf ball."""

import torch
from toys import normal, uniform

from attacks.balls import Linf


def test_projection_stays_in_the_ball_and_in_the_image() -> None:
    centre, far = uniform(4, 3, 6, 5), 3 * normal(4, 3, 6, 5, seed=1)
    projected = Linf(0.1).project(far, centre)
    assert float((projected - centre).abs().max()) <= 0.1 + 1e-12
    assert 0 <= float(projected.min()) <= float(projected.max()) <= 1


def test_projection_leaves_what_is_inside_and_is_its_own_repetition() -> None:
    centre = 0.4 + 0.2 * uniform(2, 3, 4, 4)
    inside = centre + 0.09 * (2 * uniform(2, 3, 4, 4, seed=1) - 1)
    ball = Linf(0.1)
    torch.testing.assert_close(ball.project(inside, centre), inside)
    once = ball.project(centre + normal(2, 3, 4, 4, seed=2), centre)
    torch.testing.assert_close(ball.project(once, centre), once)


def test_projection_is_the_nearest_point() -> None:
    centre, far = uniform(1, 1, 3, 3), uniform(1, 1, 3, 3, seed=1) * 2 - 0.5
    nearest = Linf(0.2).project(far, centre)
    for seed in range(50):
        other = Linf(0.2).project(uniform(1, 1, 3, 3, seed=2 + seed), centre)
        assert float((far - nearest).norm()) <= float((far - other).norm()) + 1e-12


def test_a_step_gains_most_among_moves_of_its_size() -> None:
    gradient = normal(1, 3, 4, 4)
    best = float((Linf(1.0).step(gradient) * gradient).sum())
    for seed in range(50):
        move = normal(1, 3, 4, 4, seed=1 + seed).clamp(-1, 1)
        assert float((move * gradient).sum()) <= best
