"""Manipulation: the prediction stays, the map moves, further than noise moves it."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from toys import (
    demo_model,
    demo_samples,
    demo_transformer,
    generators,
    left_as_found,
    normal,
    small,
    tiny_transformer,
    uniform,
)

from attacks.corruptions.noise import random_sign
from attacks.explanations.manipulation import manipulate
from attacks.explanations.objectives import MoveMap
from attacks.types import Images, Model, Samples
from pipeline.demo.networks import MEAN, STD
from srd import ATTRIBUTORS
from srd.baselines.saliency import saliency
from srd.metrics.similarity import pearson
from srd.surrogates import softplus
from srd.types import Attributor, Generators, Inputs, Maps, Scores, Target

ATTACKED = [name for name, entry in ATTRIBUTORS.items() if entry.differentiable]
EPSILON = 16 / 255
N = 4


def method(name: str) -> Attributor:
    """Of an entry, few passes; a stochastic one with the same noise at every call."""
    options = {"integrated_gradients": {"points": 4}, "smooth_grad": {"samples": 4}}.get(name, {})
    attributor = partial(ATTRIBUTORS[name].load(), **options)
    if not ATTRIBUTORS[name].stochastic:
        return attributor

    def fixed(network: nn.Module, inputs: Inputs, target: Target, *_: object, **others: Any) -> Maps:
        return attributor(network, inputs, target, **others | {"generators": generators(len(inputs))})  # type: ignore[no-any-return]

    return fixed


def maps(model: Model, attributor: Attributor, images: Images, samples: Samples) -> Maps:
    return attributor(model.network, model.normalise(images), samples.target)


def to_target(model: Model, attributor: Attributor, images: Images, samples: Samples) -> Scores:
    wanted = attributor(model.network, model.normalise(samples.target_images), samples.target_images_target)
    return pearson(maps(model, attributor, images, samples).abs(), wanted.abs())


def explained_by(name: str) -> Model:
    """A model of the demo's pictures that the method can explain."""
    if ATTRIBUTORS[name].networks == "transformers":
        return Model(demo_transformer(0), MEAN, STD).eval()
    return demo_model("resnet")


@pytest.mark.parametrize("name", ATTACKED)
def test_it_moves_the_map_further_than_random_signs_and_towards_the_target(name: str) -> None:
    model, samples, attributor = explained_by(name), demo_samples(N), method(name)
    with left_as_found(model, samples.images, samples.target_images):
        images = manipulate(model, samples, EPSILON, generators(N), attributor=attributor, steps=12)
    assert float((images - samples.images).abs().max()) <= EPSILON + 1e-6
    assert 0 <= float(images.min()) <= float(images.max()) <= 1
    assert torch.equal(model(images).argmax(1), model(samples.images).argmax(1))
    clean = maps(model, attributor, samples.images, samples)
    noisy = random_sign(model, samples, EPSILON, generators(N))
    under_attack = pearson(maps(model, attributor, images, samples), clean).mean()
    under_noise = pearson(maps(model, attributor, noisy, samples), clean).mean()
    assert under_attack < under_noise
    gained = to_target(model, attributor, images, samples) - to_target(model, attributor, samples.images, samples)
    assert bool((gained >= 0).all())
    assert float(gained.mean()) > 0.03


def test_a_stochastic_method_draws_from_the_rows_own_streams() -> None:
    model, samples = demo_model("resnet"), demo_samples(N)

    def noisy(
        network: nn.Module,
        inputs: Inputs,
        target: Target,
        generators: Generators | None = None,
        *,
        create_graph: bool = False,
    ) -> Maps:
        draws = torch.stack([torch.randn(inputs.shape[1:], generator=g) for g in generators or ()])
        return saliency(network, inputs + 0.05 * draws, target, create_graph=create_graph)

    def attacked(seed: int) -> Images:
        return manipulate(model, samples, EPSILON, generators(N, seed), attributor=noisy, steps=3)

    assert torch.equal(attacked(0), attacked(0))
    assert not torch.equal(attacked(0), attacked(1))


def test_more_steps_and_a_larger_ball_make_it_stronger() -> None:
    model, samples, attributor = demo_model("resnet"), demo_samples(N), method("saliency")

    def strength(epsilon: float, steps: int) -> float:
        images = manipulate(model, samples, epsilon, generators(N), attributor=attributor, steps=steps)
        return float(to_target(model, attributor, images, samples).mean())

    weak = strength(4 / 255, 4)
    assert weak < strength(4 / 255, 16)
    assert weak < strength(16 / 255, 4)


@pytest.mark.parametrize("name", ATTACKED)
def test_the_gradient_of_the_objective_is_the_true_one(name: str) -> None:
    network, size = (tiny_transformer(), (8, 8)) if ATTRIBUTORS[name].networks == "transformers" else (small(), (6, 5))
    model = Model(network, (0.4, 0.5, 0.6), (0.2, 0.3, 0.25)).double()
    images, target = uniform(1, 3, *size), torch.tensor([2])
    wanted, probabilities = normal(1, *size, seed=3), torch.tensor([[0.1, 0.2, 0.3, 0.4]]).double()
    objective = MoveMap(model, method(name), target, wanted, probabilities, keep=1.0)

    def smooth(images: Images) -> Scores:
        with softplus(3.0):
            return objective(images)

    assert torch.autograd.gradcheck(smooth, (images.requires_grad_(),), eps=1e-6, atol=1e-6, rtol=1e-4)
