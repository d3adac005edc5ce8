"""Where gradients come from: differentiation through the surrogate, and estimates that become it."""

import torch
from toys import generators, normal, uniform

from attacks.explanations.gradients import (
    SHARPNESS,
    DifferentiatedGradient,
    EstimatedGradient,
    sharpening_softplus,
    without_surrogate,
)
from attacks.types import Images, Objective
from srd.surrogates import softplus
from srd.types import Scores


def quadratic(images: Images) -> Scores:
    return (images.square() * normal(3, 4, 4)).sum((1, 2, 3)) / 2


def test_differentiation_gives_each_rows_gradient_and_value() -> None:
    images = uniform(2, 3, 4, 4)
    gradient, values = DifferentiatedGradient(quadratic, without_surrogate)(images, 0.5)
    torch.testing.assert_close(gradient, images * normal(3, 4, 4))
    torch.testing.assert_close(values, quadratic(images))
    assert not values.requires_grad
    assert not images.requires_grad


def test_it_works_where_gradients_are_off() -> None:
    with torch.no_grad():
        gradient, _ = DifferentiatedGradient(quadratic, without_surrogate)(uniform(2, 3, 4, 4), 0.0)
    assert bool(gradient.any())


def test_the_objective_is_seen_through_the_surrogate_at_the_progress() -> None:
    def rectified(images: Images) -> Scores:
        return torch.relu(images).sum((1, 2, 3))

    images = normal(2, 3, 4, 4)
    through = DifferentiatedGradient(rectified, sharpening_softplus)
    for progress, beta in ((0.0, SHARPNESS[0]), (1.0, SHARPNESS[1])):
        gradient, values = through(images, progress)
        torch.testing.assert_close(gradient, (beta * images).sigmoid())
        with softplus(beta):
            expected = rectified(images)
        torch.testing.assert_close(values, expected)
        torch.testing.assert_close(through.value(images, progress), expected)
    torch.testing.assert_close(
        DifferentiatedGradient(rectified, without_surrogate).value(images, 0.3), rectified(images)
    )


def estimate(objective: Objective, images: Images, pairs: int, seed: int = 0) -> tuple[Images, Scores]:
    return EstimatedGradient(objective, pairs, 1e-3, generators(len(images), seed))(images, 0.0)


def test_estimates_of_a_linear_objective_are_its_slope_on_average() -> None:
    """Each estimate is the slope times the mean of z z', whose entries have variance 1 / pairs, on the diagonal 2."""
    weights, images = normal(2, 1, 3, 3), uniform(2, 1, 3, 3)
    pairs = 4000
    gradient, values = estimate(lambda some: (some * weights).sum((1, 2, 3)), images, pairs)
    spread = ((weights.square().sum((1, 2, 3), keepdim=True) + weights.square()) / pairs).sqrt()
    assert float(((gradient - weights).abs() / spread).max()) < 4
    torch.testing.assert_close(values, (images * weights).sum((1, 2, 3)))


def test_opposite_points_leave_nothing_of_what_is_even() -> None:
    images = uniform(2, 1, 3, 3)
    gradient, _ = estimate(lambda some: (some - images).square().sum((1, 2, 3)), images, 5)
    assert float(gradient.abs().max()) < 1e-9


def test_questions_are_drawn_from_the_rows_own_streams() -> None:
    images = uniform(3, 3, 4, 4)
    together, _ = estimate(quadratic, images, 4)
    alone = [
        EstimatedGradient(quadratic, 4, 1e-3, generators(3)[k : k + 1])(images[k : k + 1], 0.0)[0] for k in range(3)
    ]
    torch.testing.assert_close(torch.cat(alone), together)
    other, _ = estimate(quadratic, images, 4, seed=1)
    assert not torch.equal(other, together)


def test_estimates_ask_twice_a_pair_and_never_for_a_gradient() -> None:
    asked: list[bool] = []

    def questioned(images: Images) -> Scores:
        asked.append(torch.is_grad_enabled())
        return quadratic(images)

    estimate(questioned, uniform(2, 3, 4, 4), 7)
    assert asked == [False] * 14
