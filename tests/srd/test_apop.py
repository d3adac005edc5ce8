"""Activation-pattern-only prediction: what a pattern is, that it is all that is kept, and what must be refused."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import resnet18, shufflenet_v2_x0_5, squeezenet1_1
from torchvision.models.mobilenetv2 import mobilenet_v2
from toys import N, classes, demo_model, demo_samples, left_as_found, normal, shaken, small

from srd.apop import activation_patterns, logits_from_patterns
from srd.errors import UnsupportedOperation

Middle = Callable[[Tensor], Any]
Array = NDArray[np.float64]
KINKS = torch.tensor([-2.0, 0.0, -0.0, 1.0, 3.0, 6.0], dtype=torch.float64)
"""Where the activations below change their pieces."""
X, OTHER = 4 * normal(3, 3, 6, 5), 2 * normal(3, 3, 6, 5, seed=1)
X[0, :, :, 0] = KINKS


class Function(nn.Module):
    """A function as a network."""

    def __init__(self, function: Middle) -> None:
        super().__init__()
        self.function = function

    def forward(self, inputs: Tensor) -> Any:
        return self.function(inputs)


def seeded(build: Callable[[], N]) -> N:
    """The network with the same weights each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return shaken(build()).double()


def apop(network: nn.Module, inputs: Tensor, replacement: Tensor) -> Tensor:
    return logits_from_patterns(network, activation_patterns(network, inputs), replacement)


def answer(network: nn.Module, inputs: Tensor) -> Tensor:
    with torch.no_grad():
        logits: Tensor = network(inputs)
    return logits


def method_in_place(x: Tensor) -> Tensor:
    y = x.clone()
    y.relu_()
    return y


# What a pattern is. Each definition: an activation, and what the pattern of x makes of another input z.

ON = (X > 0).double()
BOUNDED = torch.where(X <= 0, 0.0, torch.where(X >= 6, 6.0, OTHER))
SLOPES = torch.tensor([0.3, 0.1, -0.5], dtype=torch.float64)
CALLS: dict[str, tuple[Middle, Tensor]] = {
    "relu": (functional.relu, ON * OTHER),
    "relu in place": (lambda x: functional.relu(x.clone(), inplace=True), ON * OTHER),
    "torch": (torch.relu, ON * OTHER),
    "torch in place": (lambda x: torch.relu_(x.clone()), ON * OTHER),
    "method": (lambda x: x.relu(), ON * OTHER),
    "method in place": (method_in_place, ON * OTHER),
    "module": (nn.ReLU(), ON * OTHER),
    "module in place": (nn.Sequential(nn.Identity(), nn.ReLU(inplace=True)), ON * OTHER),
    "relu6": (nn.ReLU6(), BOUNDED),
    "relu6 in place": (lambda x: functional.relu6(x.clone(), inplace=True), BOUNDED),
    "hardtanh": (nn.Hardtanh(-2, 3), torch.where(X <= -2, -2.0, torch.where(X >= 3, 3.0, OTHER))),
    "clamp": (lambda x: x.clamp(0, 6), BOUNDED),
    "clamp in place": (lambda x: x.clone().clamp_(min=0, max=6), BOUNDED),
    "clip": (lambda x: torch.clip(x, 0, 6), BOUNDED),
    "clamp from below": (lambda x: x.clamp(min=0), ON * OTHER),
    "clamp_min": (lambda x: torch.clamp_min(x, 0), ON * OTHER),
    "clamp_max": (lambda x: x.clamp_max(1), torch.where(X >= 1, 1.0, OTHER)),
    "leaky_relu": (nn.LeakyReLU(0.2), torch.where(X > 0, OTHER, 0.2 * OTHER)),
    "prelu": (
        lambda x: functional.prelu(x, SLOPES),
        torch.where(X > 0, OTHER, SLOPES[:, None, None] * OTHER),
    ),
}
every_call = pytest.mark.parametrize(("activation", "expected"), CALLS.values(), ids=CALLS)


@every_call
def test_every_activation_keeps_the_pieces_of_the_recorded_input(activation: Middle, expected: Tensor) -> None:
    network = Function(lambda x: activation(x).flatten(1))
    assert torch.equal(apop(network, X, OTHER), expected.flatten(1))


@every_call
def test_an_input_replays_itself(activation: Middle, expected: Tensor) -> None:
    assert torch.equal(apop(Function(activation), X, X), activation(X))
    assert not torch.equal(expected, activation(X))


def test_the_pattern_of_a_relu_is_one_bit_per_neuron() -> None:
    (pattern,) = activation_patterns(nn.ReLU(), X)
    assert pattern.dtype == torch.uint8
    assert torch.equal(pattern, (X > 0).to(torch.uint8))


def test_the_pattern_of_a_bounded_activation_has_three_states() -> None:
    (pattern,) = activation_patterns(nn.ReLU6(), X)
    assert torch.equal(pattern, ((X > 0) * 1 + (X >= 6)).to(torch.uint8))
    assert pattern.unique().tolist() == [0, 1, 2]


def test_where_a_layer_is_read_from_ones_only_the_pattern_is_left() -> None:
    """Logits that count which neurons are on: V 1[x > 0], whatever their size."""
    readout = nn.Linear(12, 4, bias=False).double()
    x = normal(5, 12)
    network = nn.Sequential(nn.ReLU(), readout)
    torch.testing.assert_close(apop(network, x, torch.ones_like(x)), (x > 0).double() @ readout.weight.detach().T)
    assert torch.equal(apop(network, x, torch.ones_like(x)), apop(network, 7 * x, torch.ones_like(x)))


# What the two passes make of a network.


class Reused(nn.Module):
    """One ReLU called three times, in place and on a residual sum, and a ReLU6; nothing but them is not affine."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 5, 3, stride=2, padding=1), nn.BatchNorm2d(5))
        self.second = nn.Conv2d(5, 5, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.bounded = nn.ReLU6()
        self.head = nn.Linear(5, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.relu(self.first(inputs))
        hidden = self.relu(self.second(hidden)) + hidden
        hidden += self.bounded(9 * hidden - 1)
        logits: Tensor = self.head(self.relu(hidden - 1).mean((2, 3)))
        return logits


def test_every_call_of_a_reused_activation_has_a_pattern() -> None:
    patterns = activation_patterns(seeded(Reused), X)
    assert [tuple(pattern.shape) for pattern in patterns] == [(3, 5, 3, 3)] * 4
    assert [int(pattern.max()) for pattern in patterns] == [1, 1, 2, 1]


def test_without_pooling_it_is_the_tangent_at_the_recorded_input() -> None:
    """f(x) + J(x) (z - x): the affine map that a piecewise-linear network is around x, read at z."""
    network = seeded(Reused)
    value, change = torch.autograd.functional.jvp(network, X, OTHER - X)
    torch.testing.assert_close(apop(network, X, OTHER), value + change)
    assert not torch.allclose(apop(network, X, OTHER), answer(network, OTHER), atol=0.1)


def slow_convolution(weight: Array, bias: Array, image: Array) -> Array:
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1)))
    result = np.zeros((len(weight), *image.shape[1:]))
    for out, y, x in np.ndindex(*result.shape):
        result[out, y, x] = bias[out] + (weight[out] * padded[:, y : y + 3, x : x + 3]).sum()
    return result


def slow_pooling(image: Array) -> Array:
    result = np.zeros((len(image), image.shape[1] // 2, image.shape[2] // 2))
    for channel, y, x in np.ndindex(*result.shape):
        result[channel, y, x] = image[channel, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2].max()
    return result


def slow_apop(network: nn.Sequential, image: Array, other: Array) -> Array:
    """Both passes at once, layer by layer: every ReLU multiplies either by the mask of the image."""
    for layer in network:
        parameters = [p.detach().numpy() for p in layer.parameters()]
        if isinstance(layer, nn.Conv2d):
            weight, bias = parameters
            image, other = slow_convolution(weight, bias, image), slow_convolution(weight, bias, other)
        elif isinstance(layer, nn.Linear):
            weight, bias = parameters
            image, other = weight @ image + bias, weight @ other + bias
        elif isinstance(layer, nn.ReLU):
            mask = image > 0
            image, other = mask * image, mask * other
        elif isinstance(layer, nn.MaxPool2d):
            image, other = slow_pooling(image), slow_pooling(other)
        else:
            image, other = image.ravel(), other.ravel()
    return other


def small_vgg() -> nn.Sequential:
    convolutions = [nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 5, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(30, 7), nn.ReLU(), nn.Linear(7, 4))


def test_it_is_the_slow_definition() -> None:
    network = seeded(small_vgg)
    expected = [slow_apop(network, image.numpy(), other.numpy()) for image, other in zip(X, OTHER, strict=True)]
    torch.testing.assert_close(apop(network, X, OTHER), torch.from_numpy(np.stack(expected)))


@pytest.mark.parametrize("build", [resnet18, mobilenet_v2, squeezenet1_1, shufflenet_v2_x0_5])
def test_published_networks_replay_their_own_input_exactly(build: Callable[[], nn.Module]) -> None:
    network = seeded(build).float()
    x, other = normal(2, 3, 64, 64, dtype=torch.float32), normal(2, 3, 64, 64, seed=1, dtype=torch.float32)
    assert torch.equal(apop(network, x, x), answer(network, x))
    replayed = apop(network, x, other)
    assert replayed.dtype == torch.float32
    assert not torch.equal(replayed, answer(network, other))
    assert not torch.equal(replayed, answer(network, x))


@pytest.mark.parametrize("name", ["resnet", "vgg"])
def test_patterns_on_a_black_image_tell_the_demos_classes(name: str) -> None:
    model, samples = demo_model(name), demo_samples(36)
    inputs = model.normalise(samples.images)
    predicted = apop(model.network, inputs, model.black.expand_as(inputs)).argmax(1)
    chance = 1 / len(samples.label.unique())
    assert float((predicted == samples.label).double().mean()) >= 3 * chance


def test_each_row_is_on_its_own() -> None:
    network = small()
    together = apop(network, X, OTHER)
    for row in range(len(X)):
        torch.testing.assert_close(apop(network, X[row : row + 1], OTHER[row : row + 1])[0], together[row])


# What is left as it was.


def test_nothing_is_left_behind() -> None:
    frozen = small().requires_grad_(False)
    network = nn.Sequential(nn.ReLU(inplace=True), nn.Dropout(), frozen).train()
    frozen.branch.eval()
    frozen.register_forward_hook(lambda module, args, output: None)
    x, other = X.clone().requires_grad_(), OTHER.clone()
    with left_as_found(network, x, other):
        logits = apop(network, x, other)
    assert not logits.requires_grad
    assert torch.equal(logits, apop(network.eval(), x, other))


def test_nothing_is_left_behind_by_a_refusal() -> None:
    network = nn.Sequential(small(), nn.Tanh()).train()
    with left_as_found(network, X), pytest.raises(UnsupportedOperation):
        activation_patterns(network, X)


def test_the_callers_state_does_not_matter() -> None:
    network, expected = small(), apop(small(), X, OTHER)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        result = apop(network, X.clone(), OTHER.clone())
    assert torch.equal(result, expected)


# What is no activation, and what is refused.


def test_a_clamped_index_is_no_activation() -> None:
    index = classes(3, 3)
    network = Function(lambda x: x.relu()[index.clamp(max=1)])
    network.register_buffer("index", index)
    patterns = activation_patterns(network, X)
    assert len(patterns) == 1
    assert torch.equal(logits_from_patterns(network, patterns, OTHER), (ON * OTHER)[[0, 1, 1]])


SMOOTH = {
    "silu": nn.SiLU(),
    "gelu": nn.GELU(),
    "tanh": torch.tanh,
    "hardswish": nn.Hardswish(),
    "softplus": nn.Softplus(),
    "elu": nn.ELU(inplace=True),
}


@pytest.mark.parametrize(("name", "activation"), SMOOTH.items(), ids=SMOOTH)
def test_a_smooth_activation_is_refused_by_name(name: str, activation: Middle) -> None:
    network = nn.Sequential(nn.ReLU(), Function(activation))
    with pytest.raises(UnsupportedOperation, match=rf"\.{name}_? has no activation pattern.*piecewise-linear"):
        activation_patterns(network, X)


def test_a_network_without_activations_has_no_pattern() -> None:
    with pytest.raises(UnsupportedOperation, match="calls none of relu, relu6"):
        activation_patterns(nn.Flatten(), X)


@pytest.mark.parametrize("recorded_calls_more", [True, False])
def test_a_network_that_decides_by_values_is_refused(recorded_calls_more: bool) -> None:
    network = Function(lambda x: x.relu().sub(1).relu() if x.sum() > 0 else x.relu())
    recorded, other = (X.abs(), -X.abs()) if recorded_calls_more else (-X.abs(), X.abs())
    with pytest.raises(UnsupportedOperation, match="activation 2 is"):
        apop(network, recorded, other)


def test_inputs_of_another_shape_are_refused() -> None:
    with pytest.raises(UnsupportedOperation, match=r"activation 1 is of shape \(2, 5, 6, 3\), .* \(3, 5, 6, 3\)"):
        apop(small(), X, OTHER[:2])


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning", "ignore:.*torch.jit.*:FutureWarning")
def test_a_part_that_cannot_be_seen_is_refused() -> None:
    hidden = torch.jit.trace(nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU()).double(), X)
    network = nn.Sequential(nn.ReLU(), Function(hidden), nn.Flatten()).requires_grad_(False)
    with pytest.raises(UnsupportedOperation, match="cannot be seen"):
        activation_patterns(network, X)


@pytest.mark.parametrize(
    ("name", "hidden"),
    [
        ("where", lambda x: torch.where(x.isnan(), x, 0.0)),
        ("gt", lambda x: x * (x > 0)),
        ("lt", lambda x: x.masked_fill(x < 0, 0.0)),
        ("sign", lambda x: x * (1 + x.sign()) / 2),
        ("abs", lambda x: (x + x.abs()) / 2),
        ("maximum", lambda x: torch.maximum(x, 0 * x)),
    ],
)
def test_an_activation_without_a_name_is_refused(name: str, hidden: Middle) -> None:
    network = nn.Sequential(nn.ReLU(), Function(hidden), nn.Flatten())
    with pytest.raises(UnsupportedOperation, match=rf"\.{name}"):
        activation_patterns(network, X)
