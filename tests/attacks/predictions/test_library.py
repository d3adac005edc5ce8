"""Attacks on the prediction: equal to foolbox's where both are determined; stronger than noise; refused at the door."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torchattacks
from _pytest.mark import ParameterSet
from foolbox.attacks.base import FixedEpsilonAttack
from foolbox.attacks.basic_iterative_method import LinfBasicIterativeAttack
from foolbox.attacks.deepfool import L2DeepFoolAttack
from foolbox.attacks.fast_gradient_method import LinfFastGradientAttack
from foolbox.attacks.projected_gradient_descent import (
    L2ProjectedGradientDescentAttack,
    LinfProjectedGradientDescentAttack,
)
from foolbox.criteria import Misclassification
from foolbox.models.pytorch import PyTorchModel
from torch import Tensor, nn
from toys import classes, demo_model, demo_samples, generators, left_as_found, small, uniform

from attacks.entries import EPSILON, PerturbationEntry
from attacks.predictions.registry import ATTACKS_ON_PREDICTIONS
from attacks.registry import PERTURBATIONS
from attacks.types import Images, Model, Samples
from srd.errors import InputError, PerturbationError

STRENGTH = 8 / 255
IN_A_BALL = [entry for entry in ATTACKS_ON_PREDICTIONS if entry.strength is not None]
SHORT = {"steps": 5, "nb_iter": 3, "n_queries": 500, "nb_sample": 32}


def attacked(name: str, model: Model, samples: Samples, strength: float = STRENGTH, **options: Any) -> Images:
    images: Images = PERTURBATIONS[name](model, samples, strength, generators(len(samples.images)), **options)
    return images


def margin(model: Model, images: Images, label: Tensor) -> Tensor:
    """Logit of the label over the greatest other: below 0 where the label is not predicted."""
    with torch.no_grad():
        logits: Tensor = model(images)
    others: Tensor = logits.scatter(1, label[:, None], -torch.inf).amax(1)
    return logits.gather(1, label[:, None])[:, 0] - others


def by_foolbox(attack: Any, model: Model, samples: Samples, **epsilon: float) -> Tensor:
    criterion = Misclassification(samples.label)
    images: Tensor = attack.run(PyTorchModel(model, bounds=(0, 1)), samples.images, criterion, **epsilon)
    return images


def toy(n: int, n_classes: int = 4, channels: int = 3, side: int = 15) -> tuple[Model, Samples]:
    """A linear network, images of any kind, and the classes that it predicts."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Flatten(), nn.Linear(channels * side * side, n_classes))
    model, images = Model(network, (0.5,) * channels, (0.25,) * channels), uniform(n, channels, side, side).float()
    with torch.no_grad():
        label = model(images).argmax(1)
    return model, Samples(images, label, label, images, label)


@pytest.mark.parametrize("name", ["vgg", "resnet"])
def test_fgsm_equals_foolbox(name: str) -> None:
    model, samples = demo_model(name), demo_samples(6)
    theirs = by_foolbox(LinfFastGradientAttack(random_start=False), model, samples, epsilon=STRENGTH)
    torch.testing.assert_close(attacked("fgsm", model, samples), theirs, atol=1e-6, rtol=0)


signed_steps = pytest.mark.parametrize(
    ("name", "options", "theirs"),
    [
        ("bim", {}, LinfBasicIterativeAttack),
        ("pgd", {"random_start": False}, LinfProjectedGradientDescentAttack),
    ],
)


def share_apart_from_foolbox(
    name: str, attack: FixedEpsilonAttack, model: Model, samples: Samples, steps: int, **options: Any
) -> float:
    """Share of the values that are not those of foolbox."""
    ours = attacked(name, model, samples, steps=steps, relative_step=0.3, **options)
    return float(((ours - by_foolbox(attack, model, samples, epsilon=STRENGTH)).abs() > 1e-6).double().mean())


@pytest.mark.parametrize("steps", [1, 2])
@signed_steps
def test_first_signed_steps_on_a_deep_network_equal_foolbox(
    name: str, options: dict[str, Any], theirs: Callable[..., FixedEpsilonAttack], steps: int
) -> None:
    """The first alone: where a gradient is 0 but for rounding its sign is chance, and later steps start from there."""
    attack = theirs(abs_stepsize=0.3 * STRENGTH, steps=steps, random_start=False)
    differ = share_apart_from_foolbox(name, attack, demo_model("resnet"), demo_samples(6), steps, **options)
    assert differ < 1e-3, "more than isolated signs of gradients at rounding error differ"


@pytest.mark.parametrize("steps", [1, 5, 20])
@signed_steps
def test_signed_steps_on_a_linear_network_equal_foolbox_step_by_step(
    name: str, options: dict[str, Any], theirs: Callable[..., FixedEpsilonAttack], steps: int
) -> None:
    """Its gradients are far from 0, so that rounding decides nothing."""
    model, samples = toy(6)
    attack = theirs(abs_stepsize=0.3 * STRENGTH, steps=steps, random_start=False)
    assert share_apart_from_foolbox(name, attack, model, samples, steps, **options) < 1e-3


@pytest.mark.parametrize("steps", [1, 2, 10])
def test_steps_in_an_l2_ball_equal_foolbox(steps: int) -> None:
    model, samples = demo_model("resnet"), demo_samples(6)
    ours = attacked("pgd_l2", model, samples, 1.0, steps=steps, relative_step=0.3, random_start=False)
    attack = L2ProjectedGradientDescentAttack(abs_stepsize=0.3, steps=steps, random_start=False)
    torch.testing.assert_close(ours, by_foolbox(attack, model, samples, epsilon=1.0), atol=1e-4, rtol=0)


def test_deep_fool_goes_about_as_far_as_foolbox_and_just_over_the_boundary() -> None:
    model, samples = demo_model("resnet"), demo_samples(8)
    ours = attacked("deep_fool", model, samples)
    theirs = by_foolbox(L2DeepFoolAttack(steps=50, loss="logits"), model, samples)
    sizes = [(images - samples.images).flatten(1).norm(dim=1) for images in (ours, theirs)]
    assert 0.8 < float((sizes[0] / sizes[1]).median()) < 1.25
    before, after = (margin(model, images, samples.label) for images in (samples.images, ours))
    assert bool((after < 0).all())
    assert bool((after.abs() < 0.1 * before).all())


def marked(entry: PerturbationEntry) -> ParameterSet:
    return pytest.param(entry, marks=pytest.mark.slow if entry.name.startswith("square") else ())


@pytest.mark.parametrize("entry", [marked(each) for each in IN_A_BALL], ids=lambda entry: entry.name)
def test_an_attack_is_stronger_than_noise_of_its_size(entry: PerturbationEntry) -> None:
    model, samples = demo_model("vgg"), demo_samples(4)
    strength = 32 / 255 if entry.strength is EPSILON else 6.0
    options = {name: value for name, value in SHORT.items() if name in entry.options}
    found = attacked(entry.name, model, samples, strength, **options)
    signs = attacked("random_sign", model, samples, 1.0) - samples.images
    size = strength if entry.norm == "L-inf" else strength / samples.images[0].numel() ** 0.5
    noisy = (samples.images + size * signs.sign()).clamp(0, 1)
    assert float(margin(model, found, samples.label).mean()) < float(margin(model, noisy, samples.label).mean()) - 1


@pytest.mark.parametrize("name", ["pgd", "square", "one_pixel", "pixle"])
def test_streams_decide_the_random_numbers_and_the_global_generators_are_left_alone(name: str) -> None:
    model, samples = demo_model("vgg"), demo_samples(2)
    options = {"pgd": {"steps": 1}, "pixle": {"restarts": 2}}.get(name, {})
    with left_as_found(model, samples.images):
        first = attacked(name, model, samples, 64 / 255, **options)
    assert torch.equal(first, attacked(name, model, samples, 64 / 255, **options))
    others = PERTURBATIONS[name](model, samples, 64 / 255, generators(2, seed=1), **options)
    assert not torch.equal(first, others)


def test_double_precision_is_kept_where_nothing_moves() -> None:
    model = Model(small(), (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)).double()
    images = uniform(2, 3, 12, 12)
    samples = Samples(images, classes(2), classes(2), images, classes(2))
    moved = attacked("one_pixel", model, samples) != images
    assert moved.dtype == torch.bool
    assert 0 < int(moved.sum()) <= 2 * 3


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("pgd", {"alpha": 0.1}, "no option is called 'alpha'; known: steps, random_start, relative_step"),
        ("upgd", {"loss": "hinge"}, "loss = 'hinge' is none of ce, dlr, margin"),
        ("auto_attack", {"version": "fast"}, "version = 'fast' is none of standard, plus, rand"),
    ],
)
def test_a_wrong_option_is_refused(name: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=f"{name}: {said}"):
        attacked(name, *toy(2), **options)


@pytest.mark.parametrize(
    ("name", "network", "said"),
    [
        ("ti_fgsm", {"channels": 1}, "images of 3 channels, these have 1"),
        ("pi_fgsm", {"channels": 1}, "images of 3 channels, these have 1"),
        ("apgd_dlr", {"n_classes": 2}, "3 classes or more, not 2"),
        ("apgd_t", {"n_classes": 3}, "4 classes or more, not 3"),
        ("square_l2", {"side": 4}, "do not fit into 4 x 4"),
        ("auto_attack_l2", {"side": 12}, "do not fit into 12 x 12"),
    ],
)
def test_images_and_networks_that_an_attack_cannot_take_are_refused(
    name: str, network: dict[str, int], said: str
) -> None:
    with pytest.raises(InputError, match=f"{name}: .*{said}"):
        attacked(name, *toy(2, **network))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("entry", ATTACKS_ON_PREDICTIONS, ids=lambda entry: entry.name)
def test_images_of_any_channels_are_attacked_where_no_number_is_named(entry: PerturbationEntry, channels: int) -> None:
    if entry.misfit((channels, 15, 15), 5):
        pytest.skip("refused")
    model, samples = toy(2, 5, channels)
    options = {
        name: value
        for name, value in (SHORT | {"gamma": 0.01, "max_iterations": 20, "restarts": 2}).items()
        if name in entry.options
    }
    images = attacked(entry.name, model, samples, 0.2 if entry.strength is EPSILON else 1.0, **options)
    assert bool((margin(model, images, samples.label) < margin(model, samples.images, samples.label)).any())


def test_what_comes_back_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torchattacks.FGSM, "forward", lambda attack, images, labels: images + 0.9 * (0.5 - images))
    with pytest.raises(PerturbationError, match=r"fgsm: image 0 of its tile moved by .* in L-inf, more than 0\.03137"):
        attacked("fgsm", demo_model("vgg"), demo_samples(2))
