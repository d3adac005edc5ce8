"""Evidence of how well an attack searched: exact where gradients are right, loud where they are wrong."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from toys import demo_model, demo_samples, demo_transformer, generators, small, tiny_transformer, uniform

from attacks.balls import L2, Linf
from attacks.entries import EVIDENCE
from attacks.explanations import evidence
from attacks.explanations.ascent import SearchTrace
from attacks.explanations.objectives import AttackObjectives
from attacks.explanations.threat_model import AIMS, objectives_of
from attacks.types import Model, Samples
from pipeline.demo.networks import MEAN, STD
from srd.baselines.saliency import saliency
from srd.decomposition import decompose
from srd.entries import AttributorEntry
from srd.registry import ATTRIBUTORS
from srd.types import Attributor, Maps

N = 2
BALL = Linf(8 / 255)
DIFFERENTIABLE = [entry for entry in ATTRIBUTORS.values() if entry.differentiable]
every_differentiable = pytest.mark.parametrize("entry", DIFFERENTIABLE, ids=lambda entry: entry.name)


def quick(entry: AttributorEntry, model: Model) -> Attributor:
    """The method with few passes and with what an audit tells it, in single precision."""
    told: dict[str, Any] = {
        "baseline": model.black.float(),
        "background": model.normalise(uniform(3, 3, 12, 12, seed=9)).float(),
    }
    options = {"points": 3, "samples": 3}
    known = {name: told[name] for name in entry.needs if name in told}
    known |= {name: value for name, value in options.items() if name in entry.options}
    return partial(entry.load(), **known)


def toy_samples(size: int, dtype: torch.dtype) -> Samples:
    images, others = uniform(N, 3, size, size, dtype=dtype), uniform(N, 3, size, size, seed=1, dtype=dtype)
    target, others_target = torch.tensor([0, 2]), torch.tensor([2, 3])
    return Samples(images, target, target, others, others_target, uniform(N, size, size, seed=2) > 0.5)


def toy_model(entry: AttributorEntry, dtype: torch.dtype) -> Model:
    network = tiny_transformer(size=12) if entry.networks == "transformers" else small()
    return Model(network, (0.4, 0.5, 0.6), (0.2, 0.3, 0.25)).to(dtype).eval()


def attack(model: Model, samples: Samples, attributor: Attributor, aim: str = "target map") -> AttackObjectives:
    drawn = generators(len(samples.images))
    return objectives_of(aim, model, samples, attributor, drawn, prediction_weight=1.0, tolerance=1.0)


def gradient_error(model: Model, samples: Samples, attributor: Attributor, aim: str = "target map") -> Tensor:
    streams = generators(len(samples.images))
    values = evidence.of_gradient(attack(model, samples, attributor, aim), BALL, samples.images, streams)
    return values["gradient_error"]


@every_differentiable
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_gradient_through_every_differentiable_method_is_the_true_one(
    entry: AttributorEntry, dtype: torch.dtype
) -> None:
    model = toy_model(entry, dtype)
    errors = gradient_error(model, toy_samples(12, dtype), quick(entry, model))
    assert errors.dtype == dtype
    assert float(errors.max()) < 1e-5


@pytest.mark.parametrize("aim", AIMS)
def test_the_gradient_of_every_aim_is_the_true_one(aim: str) -> None:
    for attributor in (saliency, decompose):
        model = toy_model(ATTRIBUTORS["srd"], torch.float32)
        assert float(gradient_error(model, toy_samples(12, torch.float32), attributor, aim).max()) < 1e-5


@pytest.mark.parametrize("aim", ["other map", "mass centre"])
def test_even_where_the_network_is_its_own_surrogate_and_the_clean_map_has_no_slope(aim: str) -> None:
    model = Model(demo_transformer(0), MEAN, STD).eval()
    assert float(gradient_error(model, demo_samples(N), saliency, aim).max()) < 1e-4


def half_detached(maps: Maps, inputs: Tensor) -> Maps:
    middle = maps.shape[1] // 2
    return torch.cat([maps[:, :middle].detach(), maps[:, middle:]], 1)


class _Louder(torch.autograd.Function):
    """The same values; gradients half as large again."""

    @staticmethod
    def forward(ctx: object, maps: Tensor) -> Tensor:
        return maps.clone()

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        return 1.5 * gradient


def louder(maps: Maps, inputs: Tensor) -> Maps:
    louder_maps: Maps = _Louder.apply(maps)
    return louder_maps


def unseen(maps: Maps, inputs: Tensor) -> Maps:
    """With a part that moves with the image, and that no gradient knows of."""
    return maps + maps.detach().abs().amax() * (20 * inputs.detach()).sin().sum(1)


@pytest.mark.parametrize("broken", [half_detached, louder, unseen])
def test_a_wrong_gradient_is_told(broken: Callable[[Maps, Tensor], Maps]) -> None:
    def attributor(network: nn.Module, inputs: Tensor, target: Tensor, *others: Any, **more: Any) -> Maps:
        return broken(saliency(network, inputs, target, *others, **more), inputs)

    model = toy_model(ATTRIBUTORS["saliency"], torch.float32)
    assert float(gradient_error(model, toy_samples(12, torch.float32), attributor).min()) > 0.1


def test_the_model_stays_in_its_precision_and_the_streams_move_on_by_the_noise_alone() -> None:
    entry = ATTRIBUTORS["smooth_grad"]
    model, samples, streams = toy_model(entry, torch.float32), toy_samples(12, torch.float32), generators(N)
    objectives = objectives_of("target map", model, samples, quick(entry, model), generators(N, 1), 1.0, 1.0)
    evidence.of_gradient(objectives, BALL, samples.images, streams)
    assert next(model.parameters()).dtype == torch.float32
    expected = generators(N)
    BALL.sample(samples.images, expected)
    for stream in expected:
        torch.randn(samples.images.shape[1:], generator=stream)
    assert all(torch.equal(a.get_state(), b.get_state()) for a, b in zip(streams, expected, strict=True))


@pytest.mark.parametrize("ball", [Linf(16 / 255), L2(1.0)], ids=["L-inf", "L2"])
def test_pgd_lowers_the_probability_of_the_true_class_inside_the_ball(ball: Linf | L2) -> None:
    model, samples = demo_model("resnet"), demo_samples(4)
    found = evidence._pgd(attack(model, samples, saliency), ball, samples, generators(4))
    moved = found - samples.images
    torch.testing.assert_close(ball.project(moved), moved, atol=1e-6, rtol=0)

    def probability(images: Tensor) -> Tensor:
        chosen: Tensor = model(images).softmax(1).gather(1, samples.label[:, None])[:, 0]
        return chosen

    random = (samples.images + ball.sample(samples.images, generators(4, 1))).clamp(0, 1)
    assert bool((probability(found) < probability(samples.images)).all())
    assert bool((probability(found) < probability(random)).all())


def test_controls_are_the_goal_at_images_that_nobody_aimed() -> None:
    model, samples = demo_model("vgg"), demo_samples(3)
    made = attack(model, samples, saliency)
    values = evidence.of_controls(made, BALL, samples, generators(3))
    torch.testing.assert_close(values["clean"], made.goal(made.explainer.maps(samples.images)))
    streams = generators(3)
    noise = torch.stack([torch.randn(samples.images.shape[1:], generator=stream) for stream in streams])
    step = (samples.images + BALL.epsilon * noise.sign()).clamp(0, 1)
    point = (samples.images + BALL.sample(samples.images, streams)).clamp(0, 1)
    torch.testing.assert_close(values["random_step"], made.goal(made.explainer.maps(step)))
    torch.testing.assert_close(values["random_point"], made.goal(made.explainer.maps(point)))


def test_a_control_that_does_not_change_the_prediction_is_none_of_flip_and_keep() -> None:
    model, samples = demo_model("vgg"), demo_samples(3)
    values = evidence.of_controls(attack(model, samples, saliency, "flip, same map"), BALL, samples, generators(3))
    assert values["random_point"].tolist() == [-torch.inf] * 3
    torch.testing.assert_close(values["clean"], torch.ones(3))


def trace(*values: float) -> SearchTrace:
    return SearchTrace(
        torch.zeros(1, 1, 1, 1),
        tuple(torch.tensor([value]) for value in values),
        tuple(torch.tensor([10 + value]) for value in values[1:]),
    )


def test_growth_is_told_by_steps_restarts_and_ways() -> None:
    traces = [trace(0, 1, 2, 3, 4), trace(0, 0, 5, 5, 5), trace(0, 3, 3, 3, 3)]
    told = {name: value.item() for name, value in evidence.of_traces(traces).items()}
    assert told == {"quarter": 3, "half": 5, "full": 5, "first_restart": 4, "gain_first": 11, "gain_last": 14}
    ways = {name: value.item() for name, value in evidence.of_both_ways(traces).items()}
    assert ways == {"softplus": 4, "exact": 5}
    assert list(evidence.of_both_ways(traces[:1])) == ["softplus"]


def test_complete_evidence_has_every_name_and_nan_where_nothing_was_tried() -> None:
    whole = evidence.complete({"clean": torch.tensor([0.5, 1.0]), "full": torch.tensor([2.0, 3.0])})
    assert list(whole) == list(EVIDENCE)
    assert whole["full"].tolist() == [2, 3]
    assert all(bool(value.isnan().all()) for name, value in whole.items() if name not in {"clean", "full"})
