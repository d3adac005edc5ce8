"""The search loop, on objectives whose maximum is known."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from toys import normal, uniform

from attacks.balls import L2, Linf
from attacks.explanations.ascent import Ascent, SearchTrace, displace, displace_in_eight_bits
from attacks.explanations.gradients import DifferentiatedGradient, without_surrogate
from attacks.types import Ball, Images, Objective

EPSILON = 0.1


def trace(
    objective: Objective,
    clean: Images,
    ball: Ball,
    judge: Objective | None = None,
    start: Tensor | None = None,
    steps: int = 60,
    stored: Callable[[Images, Tensor], Images] = displace,
) -> SearchTrace:
    ascent = Ascent(ball, DifferentiatedGradient(objective, without_surrogate), judge or objective, stored, steps, 0.25)
    return ascent(clean, torch.zeros_like(clean) if start is None else start)


def middling(n: int, c: int, h: int, w: int) -> Images:
    """Images that no small displacement takes out of [0, 1]."""
    return 0.3 + 0.4 * uniform(n, c, h, w)


def along(weights: Tensor) -> Objective:
    return lambda images: (images * weights).sum((1, 2, 3))


def test_it_finds_the_corner_of_the_cube() -> None:
    clean, weights = middling(3, 2, 4, 4), normal(3, 2, 4, 4)
    found = trace(along(weights), clean, Linf(EPSILON))
    torch.testing.assert_close(found.displacement, EPSILON * weights.sign())


def test_it_finds_the_point_of_the_sphere_along_the_gradient() -> None:
    clean, weights = middling(3, 2, 4, 4), normal(3, 2, 4, 4)
    directions = weights / weights.flatten(1).norm(dim=1)[:, None, None, None]
    for start in (None, L2(EPSILON).project(normal(3, 2, 4, 4, seed=1))):
        found = trace(along(weights), clean, L2(EPSILON), start=start, steps=200)
        torch.testing.assert_close(found.displacement, EPSILON * directions, atol=1e-4, rtol=0)
        torch.testing.assert_close(found.highest[-1], along(weights)(clean + EPSILON * directions), atol=1e-6, rtol=0)


@pytest.mark.parametrize("ball", [Linf(EPSILON), L2(EPSILON)], ids=["L-inf", "L2"])
def test_it_finds_a_point_inside_the_ball(ball: Ball) -> None:
    clean = middling(2, 1, 3, 3)
    goal = clean + ball.epsilon / 8

    def near(images: Images) -> Tensor:
        return -(images - goal).square().sum((1, 2, 3))

    found = trace(near, clean, ball, steps=200)
    assert float((clean + found.displacement - goal).abs().max()) < 0.05 * EPSILON


def test_a_displacement_of_one_row_goes_along_the_mean_of_the_directions() -> None:
    clean, weights = middling(5, 2, 3, 3), normal(5, 2, 3, 3)
    unit = weights / weights.abs().mean((1, 2, 3), keepdim=True)
    one = torch.zeros_like(clean[:1])

    def judge(images: Images) -> Tensor:
        return (images * unit).sum((1, 2, 3)).mean(0, keepdim=True)

    corner = trace(along(weights), clean, Linf(EPSILON), judge, one).displacement
    torch.testing.assert_close(corner, EPSILON * unit.mean(0, keepdim=True).sign())
    point = trace(along(weights), clean, L2(EPSILON), judge, one, steps=200).displacement
    mean = unit.mean(0, keepdim=True)
    torch.testing.assert_close(point, EPSILON * mean / mean.norm(), atol=1e-4, rtol=0)


def test_every_image_weighs_the_same_whatever_the_scale_of_its_gradient() -> None:
    clean, weights = middling(2, 1, 3, 3), normal(2, 1, 3, 3)
    one, loud = torch.zeros_like(clean[:1]), weights * torch.tensor([1e6, 1.0])[:, None, None, None]

    def judge(images: Images) -> Tensor:
        return images.new_tensor([next(values)])

    displacements = []
    for scaled in (weights, loud):
        values = iter(range(100))
        displacements.append(trace(along(scaled), clean, L2(EPSILON), judge, one, steps=20).displacement)
    torch.testing.assert_close(*displacements)


def test_each_row_keeps_its_own_best_iterate_and_never_less_than_the_clean_one() -> None:
    clean = torch.full((2, 1, 2, 2), 0.5)

    def judge(images: Images) -> Tensor:
        brighter = images.mean((1, 2, 3))
        return torch.stack([-(brighter[0] - 0.53).abs(), -brighter[1]])

    found = trace(along(torch.ones(2, 1, 2, 2)), clean, Linf(EPSILON), judge)
    brightness = (clean + found.displacement).mean((1, 2, 3))
    assert abs(float(brightness[0]) - 0.53) < abs(0.5 - 0.53)
    assert float(brightness[1]) == 0.5
    torch.testing.assert_close(judge(clean + found.displacement), found.highest[-1])


def test_a_random_start_that_finds_nothing_better_leaves_the_image_clean() -> None:
    clean, start = middling(2, 1, 3, 3), Linf(EPSILON).project(normal(2, 1, 3, 3))

    def farther(images: Images) -> Tensor:
        return -(images - clean).abs().sum((1, 2, 3))

    found = trace(along(normal(2, 1, 3, 3)), clean, Linf(EPSILON), farther, start)
    assert not found.displacement.any()


def test_the_best_value_only_rises_from_the_clean_one_and_is_told_after_every_step() -> None:
    clean, weights = middling(3, 1, 4, 4), normal(3, 1, 4, 4)

    def wavy(images: Images) -> Tensor:
        return (30 * images * weights).sin().sum((1, 2, 3))

    found = trace(wavy, clean, Linf(EPSILON), steps=30)
    values = torch.stack(found.highest)
    assert values.shape == (31, 3)
    assert len(found.gains) == 30
    torch.testing.assert_close(values[0], wavy(clean))
    torch.testing.assert_close(found.gains[0], wavy(clean))
    assert bool((values.diff(dim=0) >= 0).all())
    assert bool((values[-1] > values[0]).all())
    torch.testing.assert_close(values[-1], wavy(clean + found.displacement))


def test_images_stay_images() -> None:
    clean = uniform(2, 1, 4, 4)
    seen: list[Images] = []

    def noted(images: Images) -> Tensor:
        seen.append(images.detach())
        return along(normal(2, 1, 4, 4))(images)

    trace(noted, clean, Linf(0.5), steps=8)
    assert len(seen) == 1 + 8 + 8 // 2  # the clean images, every step, every second iterate
    assert all(0 <= float(images.min()) <= float(images.max()) <= 1 for images in seen)
    assert all(float((images - clean).abs().max()) <= 0.5 + 1e-12 for images in seen)


def test_gradients_are_taken_of_the_displaced_image_and_the_stored_one_is_judged() -> None:
    clean = middling(1, 1, 4, 4)
    levels: list[float] = []

    def judge(images: Images) -> Tensor:
        moved = 255 * (images - clean)
        levels.append(float((moved - moved.round()).abs().max()))
        return images.sum((1, 2, 3))

    trace(along(normal(1, 1, 4, 4)), clean, Linf(2.7 / 255), judge, stored=displace_in_eight_bits)
    assert max(levels) < 1e-9


def test_the_search_learns_how_far_it_has_come() -> None:
    progresses: list[float] = []

    def gradient(images: Images, progress: float) -> tuple[Images, Tensor]:
        progresses.append(progress)
        return torch.ones_like(images), images[:, 0, 0, 0]

    clean = middling(1, 1, 2, 2)
    Ascent(Linf(EPSILON), gradient, along(torch.ones(1)), displace, 5, 0.25)(clean, torch.zeros_like(clean))
    assert progresses == [0, 0.25, 0.5, 0.75, 1]


def test_without_any_slope_it_stops() -> None:
    clean = middling(2, 1, 2, 2)
    found = trace(lambda images: 0 * images.sum((1, 2, 3)), clean, Linf(EPSILON))
    assert not found.displacement.any()
    assert len(found.gains) == 1


@pytest.mark.parametrize("ball", [Linf(EPSILON), L2(EPSILON)], ids=["L-inf", "L2"])
def test_an_infinite_gradient_stops_nothing(ball: Ball) -> None:
    clean = torch.tensor([[[[0.0, 0.5]]]])
    found = trace(lambda images: images.sqrt().sum((1, 2, 3)), clean, ball)
    assert bool(torch.isfinite(found.displacement).all())
    assert float(found.displacement[0, 0, 0, 1]) > 0


# Storage in 8 bits.


def eight_bit_pictures(dtype: torch.dtype) -> Images:
    return torch.arange(256, dtype=dtype).view(1, 1, 16, 16) / 255


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("level", [0, 1, 7, 8, 254])
def test_whole_levels_are_kept_and_what_is_less_is_cut_off(level: int, dtype: torch.dtype) -> None:
    clean = eight_bit_pictures(dtype)
    for sign in (1, -1):
        for part, kept in ((0.0, level), (0.6, level)):
            moved = displace_in_eight_bits(clean, torch.full_like(clean, sign * (level + part) / 255))
            expected = (255 * clean).round().add(sign * kept).clamp(0, 255)
            torch.testing.assert_close(255 * moved, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("ball", [Linf(5 / 255), Linf(0.03), L2(1.0)], ids=["whole", "not whole", "L2"])
def test_what_is_stored_in_eight_bits_is_in_the_ball_and_read_back_as_it_was(ball: Ball, dtype: torch.dtype) -> None:
    clean = eight_bit_pictures(dtype)
    for seed in range(20):
        displacement = ball.project(normal(1, 1, 16, 16, seed=seed, dtype=dtype))
        images = displace_in_eight_bits(clean, displacement)
        read = (255 * images).round().to(torch.uint8).to(dtype) / 255
        torch.testing.assert_close(images, read, atol=2e-7, rtol=0)
        torch.testing.assert_close(ball.project(images - clean), images - clean, atol=4e-6, rtol=0)
        assert bool(((images - clean).abs() <= displacement.abs() + 4e-6).all())


def test_images_that_are_no_pictures_move_by_whole_levels() -> None:
    clean = uniform(1, 1, 8, 8)
    moved = 255 * (displace_in_eight_bits(clean, 0.02 * normal(1, 1, 8, 8)) - clean)
    torch.testing.assert_close(moved, moved.round(), atol=1e-9, rtol=0)
    assert bool(moved.any())


def test_nothing_is_added_where_nothing_is_displaced() -> None:
    for clean in (uniform(1, 1, 8, 8), eight_bit_pictures(torch.float32)):
        for stored in (displace, displace_in_eight_bits):
            assert torch.equal(stored(clean, torch.zeros_like(clean)), clean)
