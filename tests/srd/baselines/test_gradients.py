"""Gradient methods against captum and closed forms."""

from functools import partial

import pytest
import torch
from captum.attr import GuidedBackprop, InputXGradient, IntegratedGradients, Saliency
from torch import Tensor, nn
from torch.nn import functional
from toys import classes, demo_inputs, demo_network, generators, normal, relative_error, small

from srd.baselines.guided_backprop import guided_backprop
from srd.baselines.input_x_gradient import input_x_gradient
from srd.baselines.integrated_gradients import integrated_gradients
from srd.baselines.saliency import saliency
from srd.baselines.smooth_grad import smooth_grad
from srd.surrogates import softplus
from srd.types import Attributor

METHODS: tuple[Attributor, ...] = (saliency, input_x_gradient, guided_backprop, partial(integrated_gradients, points=5))


def linear(weight: Tensor) -> nn.Module:
    """(n, c, h, w) -> one logit per row of the weights."""
    layer = nn.Linear(weight[0].numel(), len(weight), dtype=weight.dtype)
    layer.load_state_dict({"weight": weight.flatten(1), "bias": torch.arange(len(weight), dtype=weight.dtype)})
    return nn.Sequential(nn.Flatten(), layer)


@pytest.mark.parametrize("name", ["vgg", "resnet"])
def test_they_equal_captum(name: str) -> None:
    network, (inputs, target) = demo_network(name), demo_inputs(4)
    leaf = inputs.clone().requires_grad_()
    expected = Saliency(network).attribute(leaf, target, abs=True).sum(1)
    assert relative_error(saliency(network, inputs, target), expected) < 1e-5
    expected = InputXGradient(network).attribute(leaf, target).sum(1)
    assert relative_error(input_x_gradient(network, inputs, target), expected.detach()) < 1e-5
    black = torch.full((3, 1, 1), -2.0)
    midpoints = IntegratedGradients(network).attribute(
        inputs, black.expand_as(inputs).contiguous(), target, n_steps=6, method="riemann_middle"
    )
    ours = integrated_gradients(network, inputs, target, points=6, baseline=black)
    assert relative_error(ours, midpoints.sum(1).float()) < 1e-5


def test_on_a_linear_network_they_have_closed_forms() -> None:
    weight, inputs, baseline = normal(3, 2, 4, 5), normal(2, 2, 4, 5, seed=1), normal(2, 1, 1, seed=2)
    target = torch.tensor([2, 0])
    network = linear(weight)
    torch.testing.assert_close(saliency(network, inputs, target), weight[target].abs().sum(1))
    torch.testing.assert_close(input_x_gradient(network, inputs, target), (inputs * weight[target]).sum(1))
    for points in (1, 7):
        maps = integrated_gradients(network, inputs, target, points=points, baseline=baseline)
        torch.testing.assert_close(maps, ((inputs - baseline) * weight[target]).sum(1))


def test_integrated_gradients_becomes_complete_as_points_grow() -> None:
    network, inputs, target = small(), normal(2, 3, 8, 7), classes(2)
    with torch.no_grad():
        gain = (network(inputs) - network(torch.zeros_like(inputs))).gather(1, target[:, None])[:, 0]

    def gap(points: int) -> float:
        return float((integrated_gradients(network, inputs, target, points=points).sum((1, 2)) - gain).abs().max())

    assert gap(256) < gap(8)
    assert gap(1024) < 5e-3 * float(gain.abs().max())


@pytest.mark.parametrize("method", METHODS)
def test_their_own_gradients_are_the_true_ones(method: Attributor) -> None:
    network, target = small(), classes(1)

    def maps(inputs: Tensor) -> Tensor:
        with softplus(3.0):
            return method(network, inputs, target, create_graph=True)

    inputs = normal(1, 3, 5, 4).requires_grad_()
    assert torch.autograd.gradcheck(maps, (inputs,), eps=1e-6, atol=1e-6, rtol=1e-4)


# SmoothGrad.


def noisy(inputs: Tensor, samples: int, noise: float) -> list[Tensor]:
    """The copies that rows with streams 0, 1, ... see, row by row and draw by draw."""
    draws = generators(len(inputs))
    spread = noise * (inputs.amax((1, 2, 3), keepdim=True) - inputs.amin((1, 2, 3), keepdim=True))
    rows = [[torch.randn(inputs.shape[1:], generator=g, dtype=inputs.dtype) for _ in range(samples)] for g in draws]
    return [inputs + spread * torch.stack(sample) for sample in zip(*rows, strict=True)]


def test_smooth_grad_is_the_mean_of_captums_gradients_at_the_noisy_copies() -> None:
    network, (inputs, target) = demo_network("resnet"), demo_inputs(3)
    gradients = [
        Saliency(network).attribute(copy.requires_grad_(), target, abs=False) for copy in noisy(inputs, 6, 0.1)
    ]
    expected = torch.stack(gradients).mean(0).abs().sum(1)
    maps = smooth_grad(network, inputs, target, generators(3), samples=6, noise=0.1)
    assert relative_error(maps, expected) < 1e-5


@pytest.mark.parametrize("batch", [1, 4, 7, 100])
def test_smooth_grad_does_not_depend_on_what_passes_at_once(batch: int) -> None:
    network, inputs, target = small(), normal(2, 3, 8, 7), classes(2)
    expected = smooth_grad(network, inputs, target, generators(2), samples=5)
    maps = smooth_grad(network, inputs, target, generators(2), samples=5, batch=batch)
    torch.testing.assert_close(maps, expected, rtol=1e-12, atol=1e-14)


def test_smooth_grad_without_noise_is_saliency() -> None:
    network, inputs, target = small(), normal(2, 3, 8, 7), classes(2)
    maps = smooth_grad(network, inputs, target, generators(2), noise=0.0)
    torch.testing.assert_close(maps, saliency(network, inputs, target))


def test_smooth_grad_needs_streams() -> None:
    with pytest.raises(ValueError, match="generator"):
        smooth_grad(small(), normal(1, 3, 4, 4), classes(1))


def test_the_gradient_of_smooth_grad_is_the_true_one() -> None:
    network, target = small(), classes(1)

    def maps(inputs: Tensor) -> Tensor:
        with softplus(3.0):
            return smooth_grad(network, inputs, target, generators(1), samples=3, create_graph=True)

    inputs = normal(1, 3, 5, 4).requires_grad_()
    assert torch.autograd.gradcheck(maps, (inputs,), eps=1e-6, atol=1e-6, rtol=1e-4)


# Guided Backprop.


@pytest.mark.filterwarnings("ignore:Setting backward hooks on ReLU activations")
@pytest.mark.parametrize("name", ["vgg", "resnet"])
def test_guided_backprop_equals_captum(name: str) -> None:
    network, (inputs, target) = demo_network(name), demo_inputs(4)
    expected = GuidedBackprop(network).attribute(inputs.clone().requires_grad_(), target).sum(1)
    assert relative_error(guided_backprop(network, inputs, target), expected.detach()) < 1e-5


def test_guided_backprop_is_the_gradient_where_no_activation_is() -> None:
    weight, inputs = normal(3, 2, 4, 5), normal(2, 2, 4, 5, seed=1)
    target = torch.tensor([2, 0])
    torch.testing.assert_close(guided_backprop(linear(weight), inputs, target), weight[target].sum(1))


def test_guided_backprop_sees_activations_that_are_no_modules() -> None:
    class Functional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = small()

        def forward(self, x: Tensor) -> Tensor:
            conv, norm, _, pool = self.network.stem
            stem = pool(functional.relu(norm(conv(x))))
            return self.network.head((self.network.branch(stem) + stem).clamp(min=0).mean((2, 3)))  # type: ignore[no-any-return]

    inputs, target = normal(2, 3, 8, 7), classes(2)
    expected = guided_backprop(small(), inputs, target)
    assert relative_error(guided_backprop(Functional(), inputs, target), expected) < 1e-12
