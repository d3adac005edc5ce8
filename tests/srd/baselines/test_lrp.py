"""Laws of layer-wise relevance propagation: what it conserves, closed forms, its own gradient."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from libraries import zennits_z_plus
from torch import Tensor, nn
from toys import classes, normal, relative_error, shaken, small

from srd.baselines.lrp_epsilon_plus import lrp_epsilon_plus
from srd.baselines.lrp_z_plus import lrp_z_plus
from srd.errors import UnsupportedOperation
from srd.surrogates import softplus
from srd.types import Attributor


def linear_bottleneck() -> nn.Module:
    """A depthwise convolution and a linear one between two with ReLU6, as in MobileNetV2."""
    return nn.Sequential(
        *(nn.Conv2d(3, 6, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU6()),
        *(nn.Conv2d(6, 6, 3, padding=1, groups=6, bias=False), nn.BatchNorm2d(6), nn.ReLU6()),
        *(nn.Conv2d(6, 5, 1, bias=False), nn.BatchNorm2d(5)),
        *(nn.Conv2d(5, 8, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU6()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)),
    )


def test_z_plus_equals_zennits_where_activations_saturate() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = shaken(linear_bottleneck()).double()
    inputs, target = normal(2, 3, 64, 56), classes(2)
    expected = zennits_z_plus(network, inputs, target)
    assert relative_error(lrp_z_plus(network, inputs, target), expected) < 1e-4  # zennit keeps the eps of batch norms


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.ReLU6(), nn.Hardtanh(-0.1, 0.1), nn.GELU()])
def test_relevance_sums_to_1_where_something_contributes_to_everything(activation: nn.Module) -> None:
    network, inputs, target = small(), normal(2, 3, 8, 7), classes(2)
    network.set_submodule("relu", activation)
    network.set_submodule("stem.2", activation)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
    torch.testing.assert_close(lrp_z_plus(network, inputs, target).sum((1, 2)), torch.ones(2, dtype=torch.float64))


def test_of_one_layer_it_is_the_share_of_positive_contributions() -> None:
    layer, inputs, target = nn.Linear(12, 4).double(), normal(2, 3, 2, 2), classes(2)
    positive = (layer.weight[target] * inputs.flatten(1)).clamp(min=0)
    expected = (positive / positive.sum(1, keepdim=True)).unflatten(1, (3, 2, 2)).sum(1)
    maps = lrp_z_plus(nn.Sequential(nn.Flatten(), layer), inputs, target)
    torch.testing.assert_close(maps, expected.detach())


@pytest.mark.parametrize("method", [lrp_z_plus, lrp_epsilon_plus])
def test_their_own_gradients_are_the_true_ones(method: Attributor) -> None:
    network, target = small(), classes(1)

    def maps(inputs: Tensor) -> Tensor:
        with softplus(3.0):
            return method(network, inputs, target, create_graph=True)

    inputs = normal(1, 3, 5, 4).requires_grad_()
    assert torch.autograd.gradcheck(maps, (inputs,), eps=1e-6, atol=1e-6, rtol=1e-4)


def test_epsilon_takes_from_a_linear_layer_what_its_bias_and_epsilon_have() -> None:
    layer, inputs, target = nn.Linear(12, 4).double(), normal(2, 3, 2, 2), classes(2)
    products = layer.weight[target] * inputs.flatten(1)
    logits = products.sum(1, keepdim=True) + layer.bias[target][:, None]
    expected = (products / (logits + 0.25 * logits.sign())).unflatten(1, (3, 2, 2)).sum(1)
    maps = lrp_epsilon_plus(nn.Sequential(nn.Flatten(), layer), inputs, target, epsilon=0.25)
    torch.testing.assert_close(maps, expected.detach())


def test_epsilon_without_biases_conserves_relevance() -> None:
    network, inputs, target = small(), normal(2, 3, 8, 7), classes(2)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "head" not in name:
                parameter.abs_()
        network.head.bias.zero_()
    maps = lrp_epsilon_plus(network, inputs, target, epsilon=1e-12)
    torch.testing.assert_close(maps.sum((1, 2)), torch.ones(2, dtype=torch.float64))


def test_without_an_epsilon_what_is_zero_hands_nothing_on() -> None:
    silent = nn.Linear(12, 4, bias=False, dtype=torch.float64)
    nn.init.zeros_(silent.weight)
    maps = lrp_epsilon_plus(nn.Sequential(nn.Flatten(), silent), normal(1, 3, 2, 2), classes(1), epsilon=0.0)
    assert not maps.any()


class Arctan(nn.Module):
    """Something that no rule knows."""

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.arctan(inputs)


@pytest.mark.parametrize("method", [lrp_z_plus, partial(lrp_epsilon_plus, epsilon=1e-12)])
def test_an_operation_without_a_rule_is_refused_or_declared(method: Callable[..., Tensor]) -> None:
    network = nn.Sequential(Arctan(), nn.Flatten(), nn.Linear(12, 4, bias=False, dtype=torch.float64))
    with torch.no_grad():
        network.get_submodule("2").get_parameter("weight").abs_()
    inputs, target = normal(2, 3, 2, 2), classes(2)
    with pytest.raises(UnsupportedOperation, match="arctan"):
        method(network, inputs, target)
    sums = method(network, inputs, target, operations={"torch.arctan": "activation"}).sum((1, 2))
    torch.testing.assert_close(sums, torch.ones(2, dtype=torch.float64))
