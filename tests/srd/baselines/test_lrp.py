"""LRP-z+ against zennit, its conservation law, and a closed form."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from families import resnet, vgg
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.resnet import BasicBlock
from toys import classes, normal, relative_error, shaken, small
from zennit.attribution import Gradient
from zennit.canonizers import Canonizer, SequentialMergeBatchNorm
from zennit.composites import LayerMapComposite
from zennit.layer import Sum
from zennit.rules import Norm, Pass, ZPlus
from zennit.torchvision import ResNetCanonizer
from zennit.types import Activation, AvgPool, Convolution, Linear

from srd.baselines.lrp_z_plus import lrp_z_plus
from srd.surrogates import softplus


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return shaken(make()).double()


def zennits(network: nn.Module, inputs: Tensor, target: Tensor, canonizer: Canonizer) -> Tensor:
    rule = ZPlus(stabilizer=1e-12, zero_params="bias")
    in_proportion = Norm(stabilizer=1e-12)
    layers = [(Activation, Pass()), ((AvgPool, Sum), in_proportion), ((Convolution, Linear), rule)]
    starts = functional.one_hot(target, 4)
    with Gradient(network, LayerMapComposite(layer_map=layers, canonizers=[canonizer])) as attributor:
        _, relevance = attributor(inputs.clone().requires_grad_(), starts.to(inputs))
    return relevance.sum(1).detach()  # type: ignore[no-any-return]


def linear_bottleneck() -> nn.Module:
    """A depthwise convolution and a linear one between two with ReLU6, as in MobileNetV2."""
    return nn.Sequential(
        *(nn.Conv2d(3, 6, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU6()),
        *(nn.Conv2d(6, 6, 3, padding=1, groups=6, bias=False), nn.BatchNorm2d(6), nn.ReLU6()),
        *(nn.Conv2d(6, 5, 1, bias=False), nn.BatchNorm2d(5)),
        *(nn.Conv2d(5, 8, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU6()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)),
    )


@pytest.mark.parametrize(
    ("make", "canonizer"),
    [
        (partial(vgg, batch_norm=False), SequentialMergeBatchNorm),
        (partial(vgg, batch_norm=True), SequentialMergeBatchNorm),
        (partial(resnet, BasicBlock), ResNetCanonizer),
        (linear_bottleneck, SequentialMergeBatchNorm),
    ],
    ids=["VGG", "VGG with batch norm", "ResNet", "linear bottleneck"],
)
def test_it_equals_zennit(make: Callable[[], nn.Module], canonizer: type[Canonizer]) -> None:
    network, inputs, target = seeded(make), normal(2, 3, 64, 56), classes(2)
    ours = lrp_z_plus(network, inputs, target)
    expected = zennits(network, inputs, target, canonizer())
    assert relative_error(ours, expected) < 1e-4  # a batch norm that zennit has merged still divides by sqrt(1 + eps)


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


def test_its_own_gradient_is_the_true_one() -> None:
    network, target = small(), classes(1)

    def maps(inputs: Tensor) -> Tensor:
        with softplus(3.0):
            return lrp_z_plus(network, inputs, target, create_graph=True)

    inputs = normal(1, 3, 5, 4).requires_grad_()
    assert torch.autograd.gradcheck(maps, (inputs,), eps=1e-6, atol=1e-6, rtol=1e-4)
