"""Explainer: one pass for map and logits; what is differentiated and what judges add up to their parts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from toys import classes, demo_model, demo_samples, generators, left_as_found, normal, small, tiny_transformer, uniform

from attacks.explanations.goals import Towards
from attacks.explanations.objectives import AttackObjectives, Explainer
from attacks.explanations.predictions import ChangePrediction, KeepPrediction
from attacks.explanations.threat_model import AIMS, objectives_of
from attacks.types import Model
from srd.baselines.grad_cam import grad_cam
from srd.baselines.integrated_gradients import integrated_gradients
from srd.baselines.saliency import saliency
from srd.baselines.smooth_grad import smooth_grad
from srd.decomposition import decompose
from srd.entries import AttributorEntry
from srd.registry import ATTRIBUTORS
from srd.surrogates import softplus
from srd.types import Attributor

N = 2
every_differentiable = pytest.mark.parametrize(
    "entry", [entry for entry in ATTRIBUTORS.values() if entry.differentiable], ids=lambda entry: entry.name
)


def explained(entry: AttributorEntry) -> tuple[Explainer, Tensor]:
    network, size = (tiny_transformer(), (8, 8)) if entry.networks == "transformers" else (small(), (6, 9))
    model = Model(network, (0.4, 0.5, 0.6), (0.2, 0.3, 0.25)).double().eval()
    return Explainer(model, entry.load(), classes(N), generators(N)), uniform(N, 3, *size)


@contextmanager
def counted(network: nn.Module) -> Iterator[list[int]]:
    """The number of rows of every pass of the network."""
    passes: list[int] = []
    hook = network.register_forward_hook(lambda _, args, __: passes.append(len(args[0])))
    yield passes
    hook.remove()


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize(
    ("attributor", "passes"),
    [
        (saliency, [N]),
        (decompose, [N]),
        (grad_cam, [N]),
        (partial(integrated_gradients, points=3), [3 * N, N]),
        (partial(smooth_grad, samples=1), [N, N]),
    ],
)
def test_logits_come_from_the_attributors_own_pass_where_it_makes_one(
    attributor: Attributor, passes: list[int], create_graph: bool
) -> None:
    model, images = Model(small(), (0.5,), (0.25,)).double().eval(), uniform(N, 3, 6, 9)
    with counted(model.network) as made:
        explainer = Explainer(model, attributor, classes(N), generators(N))
        explainer(images.requires_grad_(create_graph), create_graph=create_graph)
    assert made == passes


@every_differentiable
@pytest.mark.parametrize("network", [nullcontext, partial(softplus, 3.0)], ids=["as it is", "softplus"])
def test_maps_and_logits_are_those_of_method_and_model_and_so_are_the_logits_slopes(
    entry: AttributorEntry, network: Callable[[], nullcontext[None] | softplus]
) -> None:
    explainer, images = explained(entry)
    model, weights = explainer.model, normal(N, 4)
    with network():
        again = partial(entry.load(), generators=generators(N))
        expected_maps = again(model.network, model.normalise(images), classes(N))
        expected, leaf = (x.requires_grad_() for x in (images.clone(), images.clone()))
        maps, logits = explainer(leaf, create_graph=True)
        true = model(expected)
    torch.testing.assert_close(maps, expected_maps)
    torch.testing.assert_close(logits, true)
    slopes = torch.autograd.grad((logits * weights).sum(), leaf)
    torch.testing.assert_close(slopes, torch.autograd.grad((true * weights).sum(), expected))


def test_explaining_leaves_the_model_as_found_even_where_the_method_fails() -> None:
    model, images = Model(small(), (0.5,), (0.25,)).double().eval(), uniform(N, 3, 6, 9)

    def failing(network: nn.Module, inputs: Tensor, *_: Any, **__: Any) -> Tensor:
        network(inputs)
        raise RuntimeError("on purpose")

    with left_as_found(model, images):
        Explainer(model, saliency, classes(N))(images)
        with pytest.raises(RuntimeError, match="on purpose"):
            Explainer(model, failing, classes(N))(images)


def test_a_network_that_is_called_by_keyword_is_asked_again() -> None:
    model, images = Model(small(), (0.5,), (0.25,)).double().eval(), uniform(N, 3, 6, 9)

    def by_keyword(network: nn.Module, inputs: Tensor, *_: Any, **__: Any) -> Tensor:
        maps: Tensor = network(inputs=inputs)[:, :1, None] + inputs.sum(1)
        return maps

    _, logits = Explainer(model, by_keyword, classes(N))(images)
    torch.testing.assert_close(logits, model(images))


def test_the_gain_is_the_goal_less_the_price_of_the_prediction() -> None:
    model, samples = demo_model("vgg"), demo_samples(3)
    explainer = Explainer(model, saliency, samples.target)
    maps, logits = explainer(samples.images)
    torch.testing.assert_close(
        AttackObjectives(explainer, Towards(maps), KeepPrediction(logits, 1.0, 1.0)).gain(samples.images), torch.ones(3)
    )
    other = logits.roll(1, 1).detach()
    costs = (logits.softmax(1) - other.softmax(1)).square().sum(1)
    for price in (0.5, 2.0):
        gain = AttackObjectives(explainer, Towards(maps), KeepPrediction(other, price, 1.0)).gain
        torch.testing.assert_close(gain(samples.images), 1 - price * costs)


def test_the_gain_has_a_graph_where_gradients_are_wanted_and_only_there() -> None:
    model, samples = demo_model("vgg"), demo_samples(1)
    explainer = Explainer(model, saliency, samples.target)
    maps, logits = explainer(samples.images)
    gain = AttackObjectives(explainer, Towards(maps), KeepPrediction(logits, 1.0, 1.0)).gain
    images = (0.9 * samples.images).requires_grad_()
    assert gain(images).requires_grad
    with torch.no_grad():
        assert not gain(images).requires_grad


def test_the_judge_values_the_goal_alone_and_refuses_a_prediction_that_is_not_wanted() -> None:
    model, samples = demo_model("vgg"), demo_samples(2)
    explainer = Explainer(model, saliency, samples.target)
    maps, logits = explainer(samples.images)
    logits = logits.detach()
    mixed = torch.stack([logits[0], logits[1].roll(1)])
    wanted = normal(2, *maps.shape[1:], dtype=torch.float32)
    value = Towards(wanted)(maps)
    for prediction, good, bad in ((KeepPrediction(mixed, 9.0, 1.0), 0, 1), (ChangePrediction(mixed, 9.0), 1, 0)):
        judged = AttackObjectives(explainer, Towards(wanted), prediction).judge(samples.images)
        torch.testing.assert_close(judged[good], value[good])
        assert float(judged[bad]) == -torch.inf


def test_a_silent_map_is_the_worst_that_may_be_kept() -> None:
    model, samples = demo_model("vgg"), demo_samples(2)

    def silent(network: nn.Module, inputs: Tensor, *_: Any, **__: Any) -> Tensor:
        return torch.zeros_like(inputs[:, 0])

    explainer = Explainer(model, silent, samples.target)
    keep = KeepPrediction(model(samples.images), 1.0, 1.0)
    assert AttackObjectives(explainer, Towards(normal(2, 48, 48)), keep).judge(samples.images).tolist() == [-1, -1]


@pytest.mark.parametrize("method", ["saliency", "srd", "smooth_grad"])
@pytest.mark.parametrize("aim", AIMS)
def test_some_rows_are_rated_as_among_all(aim: str, method: str) -> None:
    model, samples, which = deepcopy(demo_model("resnet")).double(), demo_samples(4), [3, 1]
    images, others = samples.images.double(), samples.target_images.double()
    samples = replace(samples, images=images, target_images=others, masks=images[:, 0] > 0.5)
    attributor = ATTRIBUTORS[method].load()
    rated = []
    for some in (False, True):
        objectives = objectives_of(aim, model, samples, attributor, generators(4), 1.0, 0.2)
        moved = (images + 0.05 * normal(4, 3, 48, 48)).clamp(0, 1)
        if some:
            objectives, moved = objectives.of_rows(torch.tensor(which)), moved[which]
        rated.append(
            [values if some else values[which] for values in (objectives.gain(moved), objectives.judge(moved))]
        )
    for whole, part in zip(*rated, strict=True):
        torch.testing.assert_close(part, whole)
