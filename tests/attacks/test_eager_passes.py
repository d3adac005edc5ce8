"""Attacks find the same images on a network that is checkpointed or compiled as on the same network run plainly."""

from collections.abc import Callable

import pytest
import torch
from replaying import OTHERWISE, compiled_otherwise
from torch import Tensor, nn
from toys import classes, generator, generators, small, uniform

from attacks.manipulated_models.fine_tuning import CrossEntropy, Examples, Manipulation, Settings, fine_tune
from attacks.manipulated_models.goals import MANIPULATION_GOALS
from attacks.registry import PERTURBATIONS
from attacks.types import AttackResult, Images, Model, Samples
from srd.apop import activation_patterns
from srd.concepts import feature_vectors
from srd.decomposition import decompose
from srd.registry import ATTRIBUTORS

N = 2
IMAGES, LABEL = uniform(N, 3, 6, 9), classes(N)
SAMPLES = Samples(IMAGES, LABEL, LABEL, uniform(N, 3, 6, 9, seed=1), (LABEL + 1) % 4)
otherwise = pytest.mark.parametrize("build", OTHERWISE.values(), ids=OTHERWISE)
Build = Callable[[], nn.Module]


def model_of(network: nn.Module) -> Model:
    return Model(network, (0.4,), (0.5,)).double().eval()


@pytest.fixture(autouse=True)
def fresh() -> None:
    torch.compiler.reset()


@otherwise
def test_predictions_are_those_of_the_plain_network(build: Build) -> None:
    with torch.no_grad():
        assert torch.equal(model_of(build())(IMAGES), model_of(small())(IMAGES))


def test_the_compiled_network_answers_otherwise_when_nothing_makes_it_eager() -> None:
    with torch.no_grad():
        assert not torch.allclose(compiled_otherwise()(IMAGES), small()(IMAGES))


@otherwise
@pytest.mark.parametrize("name", ["pgd", "fgsm", "apgd_ce"])
def test_attacks_on_the_prediction_find_the_same_images(name: str, build: Build) -> None:
    plain, other = (
        PERTURBATIONS[name](model_of(network), SAMPLES, 8 / 255, generators(N)) for network in (small(), build())
    )
    assert torch.equal(plain, other)
    assert not torch.equal(plain, IMAGES)


@otherwise
@pytest.mark.parametrize("method", ["srd", "deep_lift", "saliency"])
def test_so_do_attacks_on_the_explanation(method: str, build: Build) -> None:
    def attack(network: nn.Module) -> Images:
        found: AttackResult = PERTURBATIONS["manipulate"](
            model_of(network), SAMPLES, 8 / 255, generators(N), attributor=ATTRIBUTORS[method].load(), steps=3
        )
        return found.images

    plain = attack(small())
    assert torch.equal(plain, attack(build()))
    assert not torch.equal(plain, IMAGES)


@pytest.mark.parametrize("kind", ["reentrant", "not reentrant"])
@pytest.mark.parametrize("manipulates", [False, True])
def test_so_does_fine_tuning(kind: str, manipulates: bool) -> None:
    def tuned(network: nn.Module) -> dict[str, Tensor]:
        model = model_of(network)
        loss = CrossEntropy(Examples(IMAGES, LABEL, LABEL))
        original = decompose(model.network, model.normalise(IMAGES), LABEL)
        goal = MANIPULATION_GOALS["location_corner"].progress
        chosen = Manipulation(loss.examples, decompose, goal, original, 5.0) if manipulates else loss
        state = fine_tune(model, chosen, N, Settings(3, 2, 0.01), generator()).network.state_dict()
        return {name.removeprefix("plain."): tensor for name, tensor in state.items()}

    plain, other = tuned(small()), tuned(OTHERWISE[kind]())
    assert plain.keys() == other.keys()
    assert all(torch.equal(plain[name], other[name]) for name in plain)
    assert any(not torch.equal(plain[name], tensor) for name, tensor in model_of(small()).network.state_dict().items())


@otherwise
def test_so_do_activation_patterns_and_feature_vectors(build: Build) -> None:
    inputs = model_of(small()).normalise(IMAGES)
    plain, other = (activation_patterns(model_of(network).network, inputs) for network in (small(), build()))
    assert all(torch.equal(*pair) for pair in zip(plain, other, strict=True))
    network = build()
    name = next(name for name, module in network.named_modules() if module is getattr(network, "plain", network).branch)
    vectors = feature_vectors(model_of(network).network, inputs, name)
    assert torch.equal(vectors, feature_vectors(model_of(small()).network, inputs, "branch"))
