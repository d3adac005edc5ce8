"""One displacement for many images: in the ball, better than random signs on average, and added as it is."""

import pytest
import torch
from toys import demo_model, demo_samples, generators, normal

from attacks.balls import L2, Linf
from attacks.entries import EVIDENCE, Norm
from attacks.explanations.universal import add_displacement, universal
from attacks.registry import PERTURBATIONS
from attacks.types import Ball, Images
from srd.baselines.grad_cam import grad_cam
from srd.registry import ATTRIBUTORS
from srd.types import Scores

N = 6
GRAD_CAM = ATTRIBUTORS["grad_cam"].load()
BALLS = [("L-inf", Linf(16 / 255)), ("L2", L2(2.0))]
every_ball = pytest.mark.parametrize(("norm", "ball"), BALLS, ids=[norm for norm, _ in BALLS])


def applied(displacement: Images, norm: Norm, strength: float, **how: bool) -> dict[str, Scores]:
    found = add_displacement(
        demo_model("resnet"),
        demo_samples(N),
        strength,
        generators(N),
        displacement=displacement,
        attributor=GRAD_CAM,
        aim="other map",
        norm=norm,
        **how,
    )
    return dict(found.evidence)


@pytest.mark.slow
@every_ball
def test_it_moves_the_maps_it_was_fitted_to_further_than_random_displacements(norm: Norm, ball: Ball) -> None:
    model, samples = demo_model("resnet"), demo_samples(N)
    displacement = universal(
        model, samples, ball.epsilon, generators(N), attributor=GRAD_CAM, aim="other map", norm=norm, steps=10
    )
    assert displacement.shape == (1, *samples.images.shape[1:])
    torch.testing.assert_close(ball.project(displacement), displacement, atol=1e-7, rtol=0)
    gained = applied(displacement, norm, ball.epsilon)["full"].mean()
    for seed in range(3):
        random = ball.epsilon * ball.step(normal(*displacement.shape, seed=seed, dtype=torch.float32))
        assert gained > applied(random, norm, ball.epsilon)["full"].mean()
    kept = model(samples.images).argmax(1) == model((samples.images + displacement).clamp(0, 1)).argmax(1)
    assert float(kept.float().mean()) > 0.5


@pytest.mark.slow
def test_more_steps_and_restarts_serve_the_images_better() -> None:
    entry = PERTURBATIONS["universal"]

    def strength(**budget: int) -> float:
        fitted = entry(demo_model("resnet"), demo_samples(N), 16 / 255, generators(N), attributor=GRAD_CAM, **budget)
        return float(applied(fitted, "L-inf", 16 / 255)["full"].mean())

    weak = strength(steps=2, restarts=1)
    assert weak < strength(steps=12, restarts=1)
    assert weak <= strength(steps=2, restarts=2)


def test_images_are_displaced_and_cut() -> None:
    samples = demo_samples(N)
    displacement = 0.2 * normal(1, *samples.images.shape[1:], dtype=torch.float32)
    found = PERTURBATIONS["universal"].application()(
        demo_model("vgg"), samples, 1.0, generators(N), displacement=displacement, attributor=GRAD_CAM
    )
    assert torch.equal(found.images, (samples.images + displacement).clamp(0, 1))
    assert list(found.evidence) == list(EVIDENCE)
    untold = {name for name, values in found.evidence.items() if bool(values.isnan().all())}
    searches = {"quarter", "half", "first_restart", "softplus", "exact", "gain_first", "gain_last"}
    assert untold == searches


def test_in_eight_bits_every_move_is_of_whole_levels() -> None:
    samples = demo_samples(N)
    displacement = (3.7 / 255) * normal(1, *samples.images.shape[1:], dtype=torch.float32).sign()
    found = add_displacement(
        demo_model("vgg"),
        samples,
        4 / 255,
        generators(N),
        displacement=displacement,
        attributor=grad_cam,
        aim="other map",
        norm="L-inf",
        eight_bits=True,
    )
    expected = (255 * samples.images).round().add(3 * displacement.sign()).clamp(0, 255)
    torch.testing.assert_close(255 * found.images, expected, atol=1e-4, rtol=0)
