"""Maps as functions of the network's parameters: their gradients against finite differences."""

import pytest
import torch
from torch import Tensor, nn
from toys import classes, generators, normal, shaken, small, tiny_transformer

from srd.decomposition import decompose
from srd.registry import ATTRIBUTORS
from srd.types import Attributor

STEP = 1e-6
DIFFERENTIABLE = {name: entry.load() for name, entry in ATTRIBUTORS.items() if entry.differentiable}
OF_ANY = [name for name in DIFFERENTIABLE if ATTRIBUTORS[name].networks == "any"]


def grouped() -> nn.Module:
    """Strides, groups, padding that is not zero, a lone tap, a batch norm by itself, biases that follow a sum."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        layers = [
            nn.Conv2d(3, 4, 3, 2, 1),
            nn.ReLU(),
            nn.BatchNorm2d(4),
            nn.Conv2d(4, 4, 3, padding="same", groups=2),
            nn.GroupNorm(2, 4),
            nn.SiLU(),
            nn.Conv2d(4, 6, 1),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(6, 4),
        ]
        return shaken(nn.Sequential(*layers)).double()


def value(network: nn.Module, method: Attributor, inputs: Tensor, *, create_graph: bool) -> Tensor:
    """A number that depends on every pixel of every map."""
    maps = method(network, inputs, classes(len(inputs)), generators(len(inputs)), create_graph=create_graph)
    return (maps * normal(*maps.shape, seed=5)).sum()


def true_slope(network: nn.Module, method: Attributor, inputs: Tensor, parameter: Tensor, direction: Tensor) -> float:
    with torch.no_grad():
        parameter += STEP * direction
        above = value(network, method, inputs, create_graph=False)
        parameter -= 2 * STEP * direction
        below = value(network, method, inputs, create_graph=False)
        parameter += STEP * direction
    return float(above - below) / (2 * STEP)


def assert_gradients_are_the_true_ones(network: nn.Module, method: Attributor, inputs: Tensor) -> None:
    parameters = dict(network.named_parameters())
    graph = value(network, method, inputs, create_graph=True)
    gradients = torch.autograd.grad(graph, list(parameters.values()), allow_unused=True, materialize_grads=True)
    slopes = {}
    for number, (name, parameter) in enumerate(parameters.items()):
        direction = normal(*parameter.shape, seed=number)
        slopes[name] = true_slope(network, method, inputs, parameter, direction)
        found = float((gradients[number] * direction).sum())
        assert found == pytest.approx(slopes[name], rel=1e-4, abs=1e-7), name
    assert max(map(abs, slopes.values())) > 1e-3


@pytest.mark.parametrize("name", OF_ANY)
@pytest.mark.parametrize("network", [small, grouped])
def test_maps_are_differentiable_by_every_parameter(network: type[nn.Module], name: str) -> None:
    assert_gradients_are_the_true_ones(network(), DIFFERENTIABLE[name], normal(2, 3, 12, 14))


@pytest.mark.parametrize("name", ["srd", "lrp_z_plus", "lrp_epsilon_plus", "grad_cam", "generic_attention"])
def test_those_of_a_transformer_are_as_well(name: str) -> None:
    assert_gradients_are_the_true_ones(tiny_transformer(), DIFFERENTIABLE[name], normal(1, 3, 8, 8))


@pytest.mark.parametrize("name", OF_ANY)
def test_maps_that_can_be_differentiated_by_weights_are_the_same_maps(name: str) -> None:
    network, inputs, method = small(), normal(2, 3, 12, 14), DIFFERENTIABLE[name]
    graph = method(network, inputs, classes(2), generators(2), create_graph=True)
    maps = method(network, inputs, classes(2), generators(2))
    torch.testing.assert_close(graph.detach(), maps, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("frozen", ["stem.0.weight", "branch.1.bias"])
def test_frozen_parameters_are_taken_for_constant(frozen: str) -> None:
    network, inputs = small(), normal(2, 3, 12, 14)
    network.get_parameter(frozen).requires_grad_(False)
    trained = [parameter for name, parameter in network.named_parameters() if name != frozen]

    def gradients() -> tuple[Tensor, ...]:
        graph = value(network, decompose, inputs, create_graph=True)
        return torch.autograd.grad(graph, trained, allow_unused=True, materialize_grads=True)

    others_alone = gradients()
    network.requires_grad_()
    for alone, beside in zip(others_alone, gradients(), strict=True):
        torch.testing.assert_close(alone, beside, rtol=1e-10, atol=1e-12)
