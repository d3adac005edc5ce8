"""Grad-CAM against captum's, at the same layer."""

import pytest
import torch
from captum.attr import LayerAttribution, LayerGradCam
from torch import Tensor, nn
from toys import classes, demo_inputs, demo_network, normal, relative_error, shaken, small

from srd.baselines.grad_cam import grad_cam
from srd.surrogates import softplus


def last_spatial_activation(network: nn.Module) -> nn.Module:
    """The layer whose output is the encoder's: what SRD ends its encoder with."""
    modules = dict(network.named_modules())
    return modules["layer4"] if "layer4" in modules else [m for m in modules.values() if isinstance(m, nn.ReLU)][-2]


@pytest.mark.parametrize("name", ["vgg", "resnet"])
def test_it_equals_captum(name: str) -> None:
    network, (inputs, target) = demo_network(name), demo_inputs(4)
    coarse = LayerGradCam(network, last_spatial_activation(network)).attribute(
        inputs.clone().requires_grad_(), target, relu_attributions=True
    )
    expected = LayerAttribution.interpolate(coarse, (48, 48), "bilinear")[:, 0]
    assert relative_error(grad_cam(network, inputs, target), expected.detach()) < 1e-5


def test_a_named_layer_is_the_one_found_where_it_is_the_last() -> None:
    network, (inputs, target) = demo_network("resnet"), demo_inputs(2)
    found = grad_cam(network, inputs, target)
    torch.testing.assert_close(grad_cam(network, inputs, target, encoder="layer4"), found)
    assert relative_error(grad_cam(network, inputs, target, encoder="layer2"), found) > 0.01


class Gated(nn.Module):
    """A squeeze-excite gate below the last activation."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 5, 3)
        self.gate = nn.Conv2d(5, 5, 1)
        self.last = nn.Sequential(nn.Conv2d(5, 6, 3), nn.ReLU())
        self.head = nn.Linear(6, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        features = self.stem(inputs)
        features = features * torch.sigmoid(self.gate(features.mean((2, 3), keepdim=True)))
        logits: Tensor = self.head(self.last(features).mean((2, 3)))
        return logits


def test_it_explains_networks_that_have_no_sharing_ratios() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = shaken(Gated()).double()
    inputs, target = normal(2, 3, 9, 8), classes(2)
    coarse = LayerGradCam(network, network.last).attribute(
        inputs.clone().requires_grad_(), target, relu_attributions=True
    )
    expected = LayerAttribution.interpolate(coarse, (9, 8), "bilinear")[:, 0]
    assert relative_error(grad_cam(network, inputs, target), expected.detach()) < 1e-10


def test_its_own_gradient_is_the_true_one() -> None:
    network, target = small(), classes(1)

    def maps(inputs: Tensor) -> Tensor:
        with softplus(3.0):
            return grad_cam(network, inputs, target, create_graph=True)

    inputs = normal(1, 3, 6, 5).requires_grad_()
    assert torch.autograd.gradcheck(maps, (inputs,), eps=1e-6, atol=1e-6, rtol=1e-4)
