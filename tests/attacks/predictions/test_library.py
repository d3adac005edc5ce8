"""Attacks on the prediction: equal to foolbox's where both are determined, and never believed unchecked."""

import pytest
import torch
import torchattacks
from foolbox.attacks.base import FixedEpsilonAttack
from foolbox.attacks.fast_gradient_method import LinfFastGradientAttack
from foolbox.attacks.projected_gradient_descent import LinfProjectedGradientDescentAttack
from foolbox.criteria import Misclassification
from foolbox.models.pytorch import PyTorchModel
from torch import Tensor
from toys import demo_model, demo_samples, generators, left_as_found

from attacks.predictions import library
from attacks.types import Images, Model, Samples
from srd.errors import PerturbationError

EPSILON = 8 / 255


def accuracy(model: Model, images: Images, label: Tensor) -> float:
    with torch.no_grad():
        return float((model(images).argmax(1) == label).double().mean())


def foolbox_attack(attack: FixedEpsilonAttack, model: Model, samples: Samples) -> Tensor:
    images: Tensor = attack.run(
        PyTorchModel(model, bounds=(0, 1)), samples.images, Misclassification(samples.label), epsilon=EPSILON
    )
    return images


@pytest.mark.parametrize("name", ["vgg", "resnet"])
def test_fgsm_equals_foolbox(name: str) -> None:
    model, samples = demo_model(name), demo_samples(6)
    ours = library.fgsm(model, samples, EPSILON, generators(6))
    theirs = foolbox_attack(LinfFastGradientAttack(random_start=False), model, samples)
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_the_pgd_behind_ours_equals_foolbox_step_by_step(steps: int) -> None:
    model, samples = demo_model("resnet"), demo_samples(6)
    attack = torchattacks.PGD(model, eps=EPSILON, alpha=0.25 * EPSILON, steps=steps, random_start=False)
    ours = attack(samples.images, samples.label)
    theirs = foolbox_attack(
        LinfProjectedGradientDescentAttack(abs_stepsize=0.25 * EPSILON, steps=steps, random_start=False), model, samples
    )
    differ = float(((ours - theirs).abs() > 1e-6).double().mean())
    assert differ < 1e-3, "more than isolated signs of gradients at rounding error differ"


def test_pgd_is_at_least_as_strong_as_fgsm_and_both_beat_the_clean_images() -> None:
    model, samples = demo_model("vgg"), demo_samples(24)
    clean = accuracy(model, samples.images, samples.label)
    fgsm = accuracy(model, library.fgsm(model, samples, 32 / 255, generators(24)), samples.label)
    pgd = accuracy(model, library.pgd(model, samples, 32 / 255, generators(24), steps=10), samples.label)
    assert pgd <= fgsm < clean


def test_streams_decide_the_random_start_and_the_global_generator_is_left_alone() -> None:
    model, samples = demo_model("vgg"), demo_samples(3)
    with left_as_found(model, samples.images):
        first = library.pgd(model, samples, EPSILON, generators(3), steps=1)
    assert torch.equal(first, library.pgd(model, samples, EPSILON, generators(3), steps=1))
    assert not torch.equal(first, library.pgd(model, samples, EPSILON, generators(3, seed=1), steps=1))


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda images: images + 0.1, "more than epsilon"),
        (lambda images: images.masked_fill(images > 0, torch.nan), "not finite"),
        (lambda images: images - EPSILON, r"left \[0, 1\]"),
    ],
)
def test_a_breach_of_the_ball_or_the_range_is_an_error(
    made: object, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def __init__(self, model: Model, eps: float) -> None: ...

        def __call__(self, images: Images, label: Tensor) -> Images:
            assert callable(made)
            result: Images = made(images)
            return result

    monkeypatch.setattr(torchattacks, "FGSM", Broken)
    samples = demo_samples(2)
    dark = Samples(samples.images * 0, samples.label, samples.target, samples.target_images, samples.target)
    with pytest.raises(PerturbationError, match=said):
        library.fgsm(demo_model("vgg"), dark if "left" in said else samples, EPSILON, generators(2))
