"""Class activation maps against captum's and pytorch-grad-cam's, at the same layer."""

from collections.abc import Mapping

import pytest
import torch
from captum.attr import LayerAttribution, LayerGradCam
from pytorch_grad_cam import GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM, XGradCAM
from pytorch_grad_cam.base_cam import BaseCAM
from torch import Tensor, nn
from torch.nn import functional
from toys import classes, demo_inputs, demo_network, normal, relative_error, shaken, small

from srd.baselines.grad_cam import grad_cam
from srd.baselines.grad_cam_plus_plus import grad_cam_plus_plus
from srd.baselines.hires_cam import hires_cam
from srd.baselines.layer_cam import layer_cam
from srd.baselines.xgrad_cam import xgrad_cam
from srd.layers import relevance
from srd.surrogates import softplus
from srd.types import Attributor

CAMS: Mapping[str, tuple[Attributor, type[BaseCAM]]] = {
    "Grad-CAM": (grad_cam, GradCAM),
    "Grad-CAM++": (grad_cam_plus_plus, GradCAMPlusPlus),
    "HiResCAM": (hires_cam, HiResCAM),
    "Layer-CAM": (layer_cam, LayerCAM),
    "XGrad-CAM": (xgrad_cam, XGradCAM),
}
every_cam = pytest.mark.parametrize("name", CAMS)


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


class Louder(nn.Module):
    """Logits times 1000, beside which the constants that the library adds to squares of gradients are nothing."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = 1000 * self.network(inputs)
        return logits


def librarys(kind: type[BaseCAM], network: Louder, inputs: Tensor, target: Tensor) -> Tensor:
    """The library's map before it is stretched to [0, 1]."""
    layer, seen = last_spatial_activation(network.network), []
    handle = layer.register_forward_hook(lambda *call: seen.append(call[-1]))
    scores = network(inputs.clone().requires_grad_()).gather(1, target[:, None])
    handle.remove()
    (gradients,) = torch.autograd.grad(scores.sum(), seen)
    with kind(network, [layer]) as cam:
        coarse = cam.get_cam_image(inputs, layer, None, seen[0].detach().numpy(), gradients.numpy(), eigen_smooth=False)
    if kind is not HiResCAM:  # the library takes the positive part of all of them; HiResCAM is signed
        coarse = coarse.clip(min=0)
    return functional.interpolate(torch.from_numpy(coarse)[:, None], inputs.shape[2:], mode="bilinear")[:, 0]


@every_cam
@pytest.mark.parametrize("network_name", ["vgg", "resnet"])
def test_they_equal_pytorch_grad_cam(name: str, network_name: str) -> None:
    method, kind = CAMS[name]
    network, (inputs, target) = Louder(demo_network(network_name)), demo_inputs(4)
    expected = librarys(kind, network, inputs, target)
    assert relative_error(method(network, inputs, target), expected) < 1e-4


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


@every_cam
def test_their_own_gradients_are_the_true_ones(name: str) -> None:
    (method, _), network, target = CAMS[name], small(), classes(1)

    def maps(inputs: Tensor) -> Tensor:
        with softplus(3.0):
            return method(network, inputs, target, create_graph=True)

    inputs = normal(1, 3, 6, 5).requires_grad_()
    assert torch.autograd.gradcheck(maps, (inputs,), eps=1e-6, atol=1e-6, rtol=1e-4)


def test_of_a_pooled_head_hires_cam_sums_to_the_logit_less_its_bias() -> None:
    network, inputs, target = small(), normal(2, 3, 8, 8), classes(2)
    coarse = relevance(network, inputs, target, ["relu"], contrast="none")["relu"]
    logits = network(inputs).gather(1, target[:, None])[:, 0] - network.head.bias[target]
    torch.testing.assert_close(coarse.sum((1, 2)), logits.detach())
    expected = functional.interpolate(coarse[:, None], inputs.shape[2:], mode="bilinear")[:, 0]
    assert relative_error(hires_cam(network, inputs, target), expected) < 1e-12


def test_a_silent_channel_weighs_nothing() -> None:
    network, inputs, target = small(), normal(2, 3, 8, 8), classes(2)
    with torch.no_grad():
        network.branch.get_submodule("1").get_parameter("bias")[0] = -1e3
    for method, _ in CAMS.values():
        assert method(network, inputs, target).isfinite().all()
