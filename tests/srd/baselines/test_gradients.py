"""Gradient methods against closed forms and, at the points that they draw, captum's gradients."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import partial

import pytest
import torch
from families import swin
from libraries import captums_gradient
from torch import Tensor, nn
from torch.nn import functional
from toys import classes, demo_inputs, demo_network, generators, normal, relative_error, shaken, small

from benchmarks.measuring import CPU, peak
from srd.baselines.deep_lift import deep_lift
from srd.baselines.expected_gradients import expected_gradients
from srd.baselines.full_grad import Biases, full_grad
from srd.baselines.guided_backprop import guided_backprop
from srd.baselines.input_x_gradient import input_x_gradient
from srd.baselines.integrated_gradients import integrated_gradients
from srd.baselines.saliency import saliency
from srd.baselines.smooth_grad import smooth_grad
from srd.errors import UnsupportedOperation
from srd.interception import Interception
from srd.surrogates import softplus
from srd.types import Attributor

METHODS: tuple[Attributor, ...] = (
    *(saliency, input_x_gradient, guided_backprop, full_grad),
    deep_lift,
)


def linear(weight: Tensor) -> nn.Module:
    """(n, c, h, w) -> one logit per row of the weights."""
    layer = nn.Linear(weight[0].numel(), len(weight), dtype=weight.dtype)
    layer.load_state_dict({"weight": weight.flatten(1), "bias": torch.arange(len(weight), dtype=weight.dtype)})
    return nn.Sequential(nn.Flatten(), layer)


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


# Many copies of each row.

Explanation = Callable[..., Tensor]
COPYING: Mapping[str, Explanation] = {
    "Integrated Gradients": partial(integrated_gradients, points=5),
    "SmoothGrad": partial(smooth_grad, samples=5),
    "Expected Gradients": partial(expected_gradients, samples=5, background=normal(2, 3, 8, 7, seed=1)),
}


@pytest.mark.parametrize("batch", [1, 3, 4, 7, 100])
@pytest.mark.parametrize("method", COPYING.values(), ids=COPYING)
def test_maps_do_not_depend_on_what_passes_at_once(method: Explanation, batch: int) -> None:
    network, inputs, target = small(), normal(2, 3, 8, 7), classes(2)
    expected = method(network, inputs, target, generators(2))
    maps = method(network, inputs, target, generators(2), batch=batch)
    torch.testing.assert_close(maps, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("method", COPYING.values(), ids=COPYING)
def test_gradients_through_all_copies_are_the_true_ones(method: Explanation) -> None:
    network, target = small(), classes(1)

    def maps(inputs: Tensor) -> Tensor:
        with softplus(3.0):
            return method(network, inputs, target, generators(1), batch=2, create_graph=True)

    inputs = normal(1, 3, 8, 7).requires_grad_()
    assert torch.autograd.gradcheck(maps, (inputs,), eps=1e-6, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("method", [smooth_grad, expected_gradients])
def test_methods_that_draw_need_streams(method: Explanation) -> None:
    with pytest.raises(ValueError, match="generator"):
        method(small(), normal(1, 3, 4, 4), classes(1))


# SmoothGrad.


def noisy(inputs: Tensor, samples: int, noise: float) -> list[Tensor]:
    """The copies that rows with streams 0, 1, ... see, row by row and draw by draw."""
    draws = generators(len(inputs))
    spread = noise * (inputs.amax((1, 2, 3), keepdim=True) - inputs.amin((1, 2, 3), keepdim=True))
    rows = [[torch.randn(inputs.shape[1:], generator=g, dtype=inputs.dtype) for _ in range(samples)] for g in draws]
    return [inputs + spread * torch.stack(sample) for sample in zip(*rows, strict=True)]


def test_smooth_grad_is_the_mean_of_captums_gradients_at_the_noisy_copies() -> None:
    network, (inputs, target) = demo_network("resnet"), demo_inputs(3)
    gradients = [captums_gradient(network, copy, target) for copy in noisy(inputs, 6, 0.1)]
    expected = torch.stack(gradients).mean(0).abs().sum(1)
    maps = smooth_grad(network, inputs, target, generators(3), samples=6, noise=0.1)
    assert relative_error(maps, expected) < 1e-5


def test_smooth_grad_without_noise_is_saliency() -> None:
    network, inputs, target = small(), normal(2, 3, 8, 7), classes(2)
    maps = smooth_grad(network, inputs, target, generators(2), noise=0.0)
    torch.testing.assert_close(maps, saliency(network, inputs, target))


# Guided Backprop.


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


# Expected Gradients.


def draws(n: int, samples: int, n_others: int) -> list[tuple[Tensor, Tensor]]:
    """Return, for each sample, the drawn image and the rest of the path, for rows with streams 0, 1, ..."""
    streams = generators(n)
    return [
        (
            torch.cat([torch.randint(n_others, (1,), generator=g) for g in streams]),
            torch.cat([torch.rand(1, generator=g, dtype=torch.float64) for g in streams])[:, None, None, None],
        )
        for _ in range(samples)
    ]


def test_expected_gradients_are_the_mean_of_ways_times_captums_gradients_at_the_points() -> None:
    network, (inputs, target), (background, _) = demo_network("resnet"), demo_inputs(3), demo_inputs(5, start=7)
    contributions = []
    for index, rest in draws(3, 6, 5):
        way = inputs - background[index]
        gradient = captums_gradient(network, inputs - rest.float() * way, target)
        contributions.append((way * gradient).sum(1))
    maps = expected_gradients(network, inputs, target, generators(3), samples=6, background=background)
    assert relative_error(maps, torch.stack(contributions).mean(0)) < 1e-5


def test_expected_gradients_are_complete_on_average() -> None:
    network, inputs, background = small(), normal(1, 3, 8, 7), normal(4, 3, 8, 7, seed=1)
    with torch.no_grad():
        gain = network(inputs)[0, 1] - network(background)[:, 1].mean()
    rows, target = inputs.expand(64, -1, -1, -1), torch.ones(64, dtype=torch.int64)
    sums = expected_gradients(network, rows, target, generators(64), samples=64, background=background).sum((1, 2))
    standard_error = sums.std() / 64**0.5
    assert abs(sums.mean() - gain) < 3 * standard_error < 0.3 * abs(gain)


# DeepLIFT.


def pooled(activation: nn.Module, pooling: nn.Module) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        stages = [nn.Conv2d(3, 6, 3, padding=1), activation, pooling, nn.Conv2d(6, 6, 3, padding=1), activation]
        return shaken(nn.Sequential(*stages, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 4))).double()


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.GELU(), nn.SiLU(), nn.Hardswish(), nn.LeakyReLU(0.1)])
@pytest.mark.parametrize("pooling", [nn.MaxPool2d(2), nn.MaxPool2d(3, 2, 1), nn.AvgPool2d(2)])
def test_deep_lift_shares_out_the_difference_of_the_logits(activation: nn.Module, pooling: nn.Module) -> None:
    network, inputs, target = pooled(activation, pooling), normal(3, 3, 12, 11), classes(3)
    for baseline in (normal(3, 3, 12, 11, seed=1), inputs + 1e-9 * normal(3, 3, 12, 11, seed=1)):
        with torch.no_grad():
            gain = (network(inputs) - network(baseline)).gather(1, target[:, None])[:, 0]
        shared = deep_lift(network, inputs, target, baseline=baseline).sum((1, 2))
        torch.testing.assert_close(shared, gain, rtol=1e-7, atol=1e-15)


def test_deep_lift_of_an_activation_is_the_ratio_of_differences() -> None:
    weight, baseline = normal(4, 1, 2, 3), normal(1, 2, 3, seed=2)
    inputs, target = normal(2, 1, 2, 3, seed=1), classes(2)
    gained = functional.softplus(inputs) - functional.softplus(baseline)
    maps = deep_lift(nn.Sequential(nn.Softplus(), linear(weight)), inputs, target, baseline=baseline)
    torch.testing.assert_close(maps, (gained * weight[target])[:, 0])


def test_deep_lift_without_a_difference_is_zero_and_close_to_one_the_gradient() -> None:
    network, inputs, target = pooled(nn.GELU(), nn.MaxPool2d(2)), normal(2, 3, 12, 11), classes(2)
    assert not deep_lift(network, inputs, target, baseline=inputs).any()
    near = inputs - 1e-6
    gradient = captums_gradient(network, inputs, target).sum(1)
    assert relative_error(deep_lift(network, inputs, target, baseline=near) / 1e-6, gradient) < 1e-4


# FullGrad.


def test_full_grad_of_one_layer_has_a_closed_form() -> None:
    kernel, bias, weight = normal(2, 3, 3, 3), normal(2, seed=1), normal(4, 2, 5, 4)
    inputs, target = normal(1, 3, 5, 4), classes(1)
    at_outputs = weight[target] * (functional.conv2d(inputs, kernel, bias, padding=1) > 0)
    at_inputs = functional.conv_transpose2d(at_outputs, kernel, padding=1)
    parts = [*(inputs * at_inputs)[0], *(bias[:, None, None] * at_outputs[0])]
    magnitudes = [part.abs() for part in parts]
    expected = torch.stack([(m - m.min()) / (m.max() - m.min()) for m in magnitudes]).sum(0)
    convolution = nn.Conv2d(3, 2, 3, padding=1, dtype=torch.float64)
    convolution.load_state_dict({"weight": kernel, "bias": bias})
    network = nn.Sequential(convolution, nn.ReLU(), linear(weight))
    torch.testing.assert_close(full_grad(network, inputs, target)[0], expected)


def test_the_biases_that_full_grad_finds_make_up_the_logit() -> None:
    network, inputs, target = small(), normal(2, 3, 8, 8).requires_grad_(), classes(2)
    rules = Biases(by_weights=False)
    with Interception(inputs, rules):
        scores = network(inputs).gather(1, target[:, None])[:, 0]
    of_inputs, *gradients = torch.autograd.grad(
        scores.sum(), [inputs, *(found.outputs for found in rules.found)], allow_unused=True, materialize_grads=True
    )
    total = (inputs * of_inputs).sum((1, 2, 3)) + network.head.bias[target]
    for found, gradient in zip(rules.found, gradients, strict=True):
        total = total + (found.bias * gradient.movedim(found.axis, -1)).flatten(1).sum(1)
    torch.testing.assert_close(total, scores)


def mirrored(network: nn.Module) -> nn.Module:
    """The network that says of mirrored images what this one says of images."""
    network = deepcopy(network)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.weight = nn.Parameter(module.weight.flip(3))
    return network


@pytest.mark.parametrize("pooling", [nn.MaxPool2d(2), nn.MaxPool2d(3, 1, 1), nn.MaxPool2d(3, 1, 0, 2)])
def test_deep_lift_does_not_hang_on_the_order_of_equals(pooling: nn.Module) -> None:
    """With a uniform baseline nearly all windows of a max pooling hold equal values."""
    *encoder, _, flatten, _ = pooled(nn.ReLU(), pooling).children()
    network = nn.Sequential(*encoder, nn.AdaptiveAvgPool2d(1), flatten, linear(normal(4, 6, 1, 1)))
    inputs, target, black = normal(2, 3, 12, 12), classes(2), torch.full((3, 1, 1), -0.5, dtype=torch.float64)
    expected = deep_lift(network, inputs, target, baseline=black)
    result = deep_lift(mirrored(network), inputs.flip(3), target, baseline=black).flip(2)
    assert relative_error(result, expected) < 1e-9
    in_float32 = deep_lift(network.float(), inputs.float(), target, baseline=black)
    assert relative_error(in_float32.double(), expected) < 1e-4


class Doubled(nn.Module):
    """Averages over an image and its mirror image, which it sets behind all rows of the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.network = small()

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.network(torch.cat([inputs, inputs.flip(3)]))
        return torch.stack(logits.chunk(2)).mean(0)


def test_deep_lift_refuses_layers_whose_first_axis_does_not_hold_the_rows() -> None:
    with pytest.raises(UnsupportedOperation, match="first axis"):
        deep_lift(Doubled(), normal(2, 3, 8, 8), classes(2), baseline=normal(2, 3, 8, 8, seed=1))


@pytest.mark.parametrize("size", [(48, 48), (32, 48)])
def test_full_grad_refuses_biases_in_windows(size: tuple[int, int]) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = swin().eval()
    with pytest.raises(UnsupportedOperation, match="windows"):
        full_grad(network, normal(1, 3, *size, dtype=torch.float32), classes(1))


def test_expected_gradients_keep_no_graph_of_their_samples() -> None:
    network, inputs = small(), normal(1, 3, 8, 7).requires_grad_()
    ends = [
        peak(partial(expected_gradients, network, inputs, classes(1), generators(1), samples=n), CPU) for n in (64, 256)
    ]
    assert ends[1] <= 1.1 * ends[0]


@pytest.mark.parametrize(
    "pooling", [nn.MaxPool2d(3, 2, 1), nn.MaxPool2d(2, 2, 0, 2, ceil_mode=True), nn.MaxPool2d((3, 2), (2, 3))]
)
def test_deep_lift_pools_as_torch_does(pooling: nn.MaxPool2d) -> None:
    """Close to the baseline, multipliers are gradients."""
    network, inputs, target = pooled(nn.GELU(), pooling), normal(2, 3, 13, 11), classes(2)
    near = inputs - 1e-6 * normal(2, 3, 13, 11, seed=1)
    expected = ((inputs - near) * captums_gradient(network, inputs, target)).sum(1)
    assert relative_error(deep_lift(network, inputs, target, baseline=near), expected) < 1e-4
