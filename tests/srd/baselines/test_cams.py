"""Laws of class activation maps: their layer, their gradients, what they sum to."""

from collections.abc import Callable

import pytest
import torch
from captum.attr import LayerAttribution, LayerGradCam
from torch import Tensor, nn
from torch.nn import functional
from toys import classes, demo_inputs, demo_network, normal, relative_error, shaken, small, tiny_transformer

from srd.errors import UnsupportedOperation
from srd.layers import relevance
from srd.registry import ATTRIBUTORS
from srd.surrogates import softplus
from srd.types import Attributor

grad_cam, hires_cam, score_cam, ablation_cam = (
    ATTRIBUTORS[name] for name in ("grad_cam", "hires_cam", "score_cam", "ablation_cam")
)
CAMS = [ATTRIBUTORS[name] for name in ("grad_cam", "grad_cam_plus_plus", "hires_cam", "layer_cam", "xgrad_cam")]


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


@pytest.mark.parametrize("method", CAMS, ids=lambda method: method.name)
def test_their_own_gradients_are_the_true_ones(method: Attributor) -> None:
    network, target = small(), classes(1)

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
    for method in CAMS:
        assert method(network, inputs, target).isfinite().all()


# Score-CAM and Ablation-CAM, slowly.


def score_by_score(network: nn.Module, layer: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
    """Score-CAM, one row and one channel at a time."""
    return torch.stack([_score_by_score(network, layer, *each) for each in zip(inputs, target, strict=True)])


def _score_by_score(network: nn.Module, layer: nn.Module, image: Tensor, label: Tensor) -> Tensor:
    features = output_of(network, layer, image[None])
    masks = functional.interpolate(features, image.shape[1:], mode="bilinear")[0]
    scores = []
    for mask in masks:
        span = mask.max() - mask.min()
        stretched = (mask - mask.min()) / span if span > 0 else torch.zeros_like(mask)
        scores.append(network((image * stretched)[None])[0, label])
    return weighted(features, torch.stack(scores).softmax(0), image)


def ablation_by_ablation(network: nn.Module, layer: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
    """Ablation-CAM, one row and one channel at a time, the whole network each time."""
    return torch.stack([_ablation_by_ablation(network, layer, *each) for each in zip(inputs, target, strict=True)])


def _ablation_by_ablation(network: nn.Module, layer: nn.Module, image: Tensor, label: Tensor) -> Tensor:
    features, score = output_of(network, layer, image[None]), network(image[None])[0, label]
    without = []
    for channel in range(features.shape[1]):
        ablated = features.clone()
        ablated[:, channel] = 0
        handle = layer.register_forward_hook(lambda *_, ablated=ablated: ablated)
        without.append(network(image[None])[0, label])
        handle.remove()
    return weighted(features, (score - torch.stack(without)) / score, image)


def output_of(network: nn.Module, layer: nn.Module, inputs: Tensor) -> Tensor:
    seen: list[Tensor] = []
    handle = layer.register_forward_hook(lambda *call: seen.append(call[-1]))
    network(inputs)
    handle.remove()
    return seen[-1]


def weighted(features: Tensor, weights: Tensor, image: Tensor) -> Tensor:
    coarse = (features[0] * weights[:, None, None]).sum(0).clamp(min=0)
    return functional.interpolate(coarse[None, None], image.shape[1:], mode="bilinear")[0, 0]


Explanation = Callable[..., Tensor]
every_scored_cam = pytest.mark.parametrize(
    ("method", "slowly"),
    [(score_cam, score_by_score), (ablation_cam, ablation_by_ablation)],
    ids=["Score-CAM", "Ablation-CAM"],
)


@every_scored_cam
@torch.no_grad()
def test_channel_by_channel_it_is_the_same(method: Explanation, slowly: Explanation) -> None:
    network, inputs = small(), normal(3, 3, 9, 8)
    target = network(inputs).argmax(1)
    expected = slowly(network, network.relu, inputs, target)
    assert bool(expected.flatten(1).any(1).all())
    torch.testing.assert_close(method(network, inputs, target), expected)


@pytest.mark.parametrize("method", [score_cam, ablation_cam], ids=["Score-CAM", "Ablation-CAM"])
@pytest.mark.parametrize("batch", [1, 5, 8, 1000])
def test_it_does_not_depend_on_what_passes_at_once(method: Explanation, batch: int) -> None:
    network, inputs, target = small(), normal(3, 3, 9, 8), classes(3)
    expected = method(network, inputs, target)
    torch.testing.assert_close(method(network, inputs, target, batch=batch), expected, rtol=1e-12, atol=1e-14)


@every_scored_cam
@torch.no_grad()
def test_it_takes_a_named_layer_tokens_and_silent_channels(method: Explanation, slowly: Explanation) -> None:
    network, inputs, target = small(), normal(2, 3, 9, 8), classes(2)
    network.stem.get_submodule("1").get_parameter("bias")[0] = -1e3  # silent after the ReLU
    expected = slowly(network, network.stem.get_submodule("2"), inputs, target)
    torch.testing.assert_close(method(network, inputs, target, encoder="stem.2"), expected)
    maps = method(tiny_transformer(), normal(2, 3, 8, 8), target)
    assert bool(maps.isfinite().all())
    assert bool(maps.any())


def test_of_a_pooled_linear_head_ablation_cam_weighs_by_what_a_channel_adds_to_the_logit() -> None:
    network, inputs = small(), normal(2, 3, 9, 8)
    scores, target = network(inputs).max(1)
    features = output_of(network, network.relu, inputs)
    lost = features.mean((2, 3)) * network.head.weight[target]
    each = zip(features[:, None], lost / scores[:, None], inputs, strict=True)
    expected = torch.stack([weighted(*of_row) for of_row in each])
    torch.testing.assert_close(ablation_cam(network, inputs, target), expected.detach())


class Counting(nn.Module):
    """A head that remembers how many rows the network was given."""

    def __init__(self) -> None:
        super().__init__()
        self.network = small()

    def forward(self, inputs: Tensor) -> Tensor:
        rows = inputs.shape[0]
        features = self.network.relu(self.network.branch(self.network.stem(inputs)))
        logits: Tensor = self.network.head(features.reshape(rows, features.shape[1], -1).mean(2))
        return logits


def test_ablation_cam_refuses_a_head_that_takes_no_more_rows() -> None:
    with pytest.raises(UnsupportedOperation, match="rows"):
        ablation_cam(Counting(), normal(2, 3, 9, 8), classes(2))
