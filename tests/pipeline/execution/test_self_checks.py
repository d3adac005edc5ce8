"""A model is asked before any task: is its answer a function of the image?"""

import random
from collections.abc import Callable, Mapping, Sequence
from threading import Thread
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.functional import batch_norm, dropout

from attacks.types import Model
from pipeline.execution.self_checks import (
    SELF_CHECKS,
    Question,
    check_batch,
    check_gradients,
    check_input,
    check_slope,
    check_state,
    check_two_passes,
)
from srd.errors import ModelError

IMAGES = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class Network(nn.Module):
    """A network whose features pass through another function."""

    seen: Tensor

    def __init__(self, between: Callable[[Tensor], Tensor] = lambda features: features) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.features = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Flatten())
            self.classify = nn.Linear(6 * 36, 5)
        self.between = between
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, inputs: Tensor) -> Tensor:
        answer: Tensor = self.classify(self.between(self.features(inputs)))
        return answer


def question(network: nn.Module, images: Tensor = IMAGES) -> Question:
    return Question(Model(network, (0.0,), (1.0,)).eval(), images, "model.spec = 'x'", ("saliency", "srd"))


def test_an_honest_network_passes_every_check() -> None:
    found = {name: check(question(Network())) for name, check in SELF_CHECKS.items()}
    assert found["the same answer twice"] == "two passes over 4 images gave the same bits"
    assert found["an answer for each image alone"].startswith("alone and in a batch of 4")
    assert found["an input that stays as it is"] == "the input stayed as it was"


def test_the_checks_leave_network_and_generators_as_they_found_them() -> None:
    asked, network = question(Network()), torch.get_rng_state()
    before = {name: tensor.clone() for name, tensor in asked.model.state_dict().items()}
    for check in SELF_CHECKS.values():
        check(asked)
    assert all(torch.equal(tensor, before[name]) for name, tensor in asked.model.state_dict().items())
    assert torch.equal(network, torch.get_rng_state())
    assert not asked.model.training


def drop_path(features: Tensor) -> Tensor:
    return features * (torch.rand(len(features), 1) < 0.7)


RANDOM: Sequence[Callable[[Tensor], Tensor]] = (
    lambda features: dropout(features, 0.3),
    lambda features: features + 0.01 * torch.randn_like(features),
    lambda features: features * (1 + float(np.random.normal()) / 100),
    lambda features: features * random.uniform(0.9, 1.1),
    drop_path,
)


@pytest.mark.parametrize("between", RANDOM, ids=["dropout", "noise", "numpy", "python", "drop path"])
def test_a_random_answer_is_refused(between: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(ModelError, match=r"two passes over the same images gave different answers.*self\.training"):
        check_two_passes(question(Network(between)))


def over_the_batch(features: Tensor) -> Tensor:
    return batch_norm(features, None, None, training=True)


COUPLED: Sequence[Callable[[Tensor], Tensor]] = (
    over_the_batch,
    lambda features: features - features.mean(0),
    lambda features: features.softmax(0),
    lambda features: features / features.abs().max(),
    lambda features: features + features.roll(1, 0),
)


@pytest.mark.parametrize("between", COUPLED, ids=["batch norm", "mean", "softmax", "largest", "neighbours"])
def test_an_answer_that_depends_on_other_images_is_refused(between: Callable[[Tensor], Tensor]) -> None:
    couples = question(Network(between), IMAGES * torch.tensor([1.0, 0.5, 0.2, 0.8])[:, None, None, None])
    if between is over_the_batch:
        with pytest.raises(ModelError):  # torch refuses statistics of one image
            check_batch(couples)
        return
    with pytest.raises(ModelError, match="depends on the other images of its batch: logits change by up to"):
        check_batch(couples)


def only_asked(features: Tensor) -> Tensor:
    return features if torch.is_grad_enabled() else features / 2


def only_differentiated(features: Tensor) -> Tensor:
    return 1.1 * features if features.requires_grad else features


def hooks_are_set(features: Tensor) -> Tensor:
    return features if features.grad_fn is None else features.flip(1)


def without_numbers(features: Tensor) -> Tensor:
    return features * (torch.nan if torch.is_grad_enabled() else 1)


OF_GRADIENTS = [only_asked, only_differentiated, hooks_are_set, without_numbers]


@pytest.mark.parametrize("between", OF_GRADIENTS)
def test_an_answer_that_depends_on_gradients_is_refused(between: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(ModelError, match="depends on whether gradients are on: logits change by up to"):
        check_gradients(question(Network(between)))


@pytest.mark.parametrize(
    "between", [torch.detach, lambda features: features.relu_(), lambda features: features + 1e-9 * features.detach()]
)
def test_an_answer_without_a_gradient_is_the_same_answer(between: Callable[[Tensor], Tensor]) -> None:
    assert check_gradients(question(Network(between))).startswith("with gradients and without, logits differ by")


def test_of_one_image_nothing_is_asked_about_others() -> None:
    assert check_batch(question(Network(), IMAGES[:1])) == "not asked: there is one image"


class Reversed(torch.autograd.Function):
    """The identity, with a gradient of the other sign."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return -gradients[0]


def hooked(features: Tensor) -> Tensor:
    if features.requires_grad:
        features.register_hook(lambda gradient: gradient.clamp(min=0))
    return features


def through(features: Tensor) -> Tensor:
    return features + (features.tanh() - features).detach()


def with_a_hooked_module() -> nn.Module:
    network = Network()
    network.classify.register_full_backward_hook(lambda *call: (0.5 * call[1][0],))
    return network


OTHER_GRADIENTS: Mapping[str, nn.Module] = {
    "reversed": Network(Reversed.apply),
    "a tensor's hook": Network(hooked),
    "a module's hook": with_a_hooked_module(),
    "straight through": Network(through),
    "half is detached": Network(lambda features: features + features.detach()),
    "a detached gate": Network(lambda features: features * features.detach().sigmoid()),
    "rounded": Network(lambda features: features + ((10 * features).round() / 10 - features).detach()),
    "without numbers": Network(lambda features: features + (1 - features.detach()).mean(1, keepdim=True)),
}


@pytest.mark.parametrize("network", OTHER_GRADIENTS.values(), ids=OTHER_GRADIENTS)
def test_a_gradient_that_is_not_the_slope_is_refused(network: nn.Module) -> None:
    with pytest.raises(ModelError, match=r"is not its slope.*leave saliency, srd out of explain\.methods"):
        check_slope(question(network))


@pytest.mark.parametrize(
    "between",
    [
        lambda features: features,
        lambda features: features.float(),
        lambda features: (features + 0).relu_(),
        lambda features: functional.gelu(features) * features.sigmoid(),
        lambda features: features / features.norm(dim=1, keepdim=True),
        lambda features: features.clamp(0, 0.1),
        lambda features: functional.max_pool1d(features[:, None], 3, 1, 1)[:, 0],
        lambda features: features * (features > 0),
    ],
)
@pytest.mark.parametrize("images", [IMAGES, (IMAGES > 0.5).float(), torch.zeros(1, 3, 8, 8)])
def test_an_honest_gradient_is_the_slope(between: Callable[[Tensor], Tensor], images: Tensor) -> None:
    assert check_slope(question(Network(between), images)).startswith("the gradient of the highest logit is its slope")


def test_where_no_slope_is_found_or_asked_for_the_reason_is_said() -> None:
    assert check_slope(question(Network(torch.detach))).startswith("not asked: The differentiated Tensor")
    assert check_slope(question(Network(lambda features: 0 * features))) == "not asked: the gradient is 0"
    nobody = Question(question(Network()).model, IMAGES, "model.spec = 'x'")
    assert check_slope(nobody) == "not asked: no method differentiates the network"


class Counts(Network):
    def forward(self, inputs: Tensor) -> Tensor:
        self.seen += 1
        return super().forward(inputs)


class Trains(Network):
    def forward(self, inputs: Tensor) -> Tensor:
        self.classify.train()
        return super().forward(inputs)


class Decays(Network):
    def forward(self, inputs: Tensor) -> Tensor:
        self.classify.weight.data.mul_(0.999)
        return super().forward(inputs)


class Replaces(Network):
    def forward(self, inputs: Tensor) -> Tensor:
        self.register_buffer("last", inputs.detach().clone())
        return super().forward(inputs)


def seeds(features: Tensor) -> Tensor:
    torch.manual_seed(0)
    return features


def draws(features: Tensor) -> Tensor:
    torch.rand(1)
    return features


def draws_by_numpy(features: Tensor) -> Tensor:
    np.random.normal()
    return features


@pytest.mark.parametrize(
    ("network", "changed"),
    [
        (Counts(), "seen"),
        (Trains(), "the mode of classify"),
        (Decays(), "classify.weight"),
        (Replaces(), "last"),
        (Network(seeds), "torch's global generator"),
        (Network(draws), "torch's global generator"),
        (Network(draws_by_numpy), "NumPy's global generator"),
        (Network(lambda features: features + 0 * random.random()), "Python's global generator"),
    ],
    ids=["counter", "mode", "weights", "new buffer", "seed", "draw", "numpy", "python"],
)
def test_a_forward_pass_that_changes_something_is_refused(network: nn.Module, changed: str) -> None:
    with torch.random.fork_rng(), pytest.raises(ModelError, match=f"changes {changed}; let forward leave"):
        check_state(question(network))


class Always(Network):
    """A network during all passes of which another thread draws from Python's global generator."""

    def forward(self, inputs: Tensor) -> Tensor:
        thread = Thread(target=random.random)
        thread.start()
        thread.join()
        return super().forward(inputs)


def test_another_thread_that_always_draws_by_python_is_not_the_network() -> None:
    assert check_state(question(Always())).endswith("stayed as they were")


@pytest.mark.parametrize(
    "draw",
    [
        random.random,
        lambda: random.choice("ab"),
        lambda: random.gauss(0, 1),
        lambda: random.shuffle([1, 2]),
        lambda: random.seed(1),
    ],
    ids=["random", "choice", "gauss", "shuffle", "seed"],
)
def test_each_use_of_pythons_generator_is_seen(draw: Callable[[], object]) -> None:
    def use(features: Tensor) -> Tensor:
        draw()
        return features

    with pytest.raises(ModelError, match="changes Python's global generator"):
        check_state(question(Network(use)))


class Once(Network):
    """A network during whose first pass another thread draws from a global generator."""

    def __init__(self, draw: Callable[[], object]) -> None:
        super().__init__()
        self.draw: list[Callable[[], object]] = [draw]

    def forward(self, inputs: Tensor) -> Tensor:
        if self.draw:
            thread = Thread(target=self.draw.pop())
            thread.start()
            thread.join()
        return super().forward(inputs)


@pytest.mark.parametrize(
    "draw", [random.random, np.random.normal, lambda: torch.rand(1)], ids=["python", "numpy", "torch"]
)
def test_another_thread_that_draws_is_not_the_network(draw: Callable[[], object]) -> None:
    with torch.random.fork_rng():
        assert check_state(question(Once(draw))).endswith("stayed as they were")


class Writes(Network):
    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs.sub_(0.5))


class WritesChannel(Network):
    def forward(self, inputs: Tensor) -> Tensor:
        inputs[:, 0] = 0
        return super().forward(inputs)


class Clips(Network):
    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs.clamp_(0, 0.5))


@pytest.mark.parametrize("network", [Writes(), WritesChannel(), Clips()], ids=["subtracts", "assigns", "clips"])
def test_a_network_that_writes_into_its_input_is_told(network: nn.Module) -> None:
    assert check_input(question(network)) == "the network writes into its input"
