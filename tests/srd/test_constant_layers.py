"""Layers with constant weights: torch's numbers, and no more work than these need."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from toys import demo_network, normal, uniform

from srd.constant_layers import constant_layers
from srd.convolutions import ConstantConvolution, TransposedConvolution, geometry_of, pull_back

X = normal(2, 4, 9, 8)
KERNEL = normal(3, 4, 2, 3, seed=1)
Layer = Callable[[Tensor], Tensor]


def convolution(**options: Any) -> nn.Module:
    return nn.Conv2d(4, 6, 3, **options).double().requires_grad_(False)


def norm(**options: Any) -> nn.Module:
    layer = nn.BatchNorm2d(4, **options).double().eval().requires_grad_(False)
    for each in layer.state_dict().values():
        if each.is_floating_point():
            each.copy_(0.5 + uniform(4))
    return layer


CONVOLUTIONS: dict[str, Layer] = {
    "plain": convolution(),
    "no bias": convolution(bias=False),
    "stride, padding": convolution(stride=(2, 1), padding=(1, 0)),
    "dilation": convolution(dilation=2),
    "groups": convolution(groups=2),
    "same": convolution(padding="same"),
    "reflect": convolution(padding=1, padding_mode="reflect"),
    "by keywords": lambda x: functional.conv2d(input=x, weight=KERNEL, stride=[2, 2], padding=[1]),
    "one image without an axis of its own": lambda x: functional.conv2d(x[0], KERNEL)[None],
}
NORMS: dict[str, Layer] = {
    "affine": norm(),
    "not affine": norm(affine=False),
    "by keywords": lambda x: functional.batch_norm(x, running_mean=x.new_ones(4), running_var=x.new_ones(4), eps=0.1),
    "statistics of the batch": nn.BatchNorm2d(4, track_running_stats=False).double().eval().requires_grad_(False),
    "in training": lambda x: functional.batch_norm(x, None, None, training=True),
    "of vectors": lambda x: norm_of_vectors(x.flatten(2)),
}


def norm_of_vectors(x: Tensor) -> Tensor:
    return functional.batch_norm(x, x.new_zeros(4), 0.3 + uniform(4), uniform(4, seed=2), uniform(4, seed=3))


def derivatives(layer: Layer, inputs: Tensor, orders: int) -> list[Tensor]:
    """Outputs, and as many derivatives of what follows them."""
    leaf = inputs.clone().requires_grad_()
    made = [layer(leaf)]
    value = made[0].sin().sum()
    for k in range(orders):
        (slope,) = torch.autograd.grad(value, leaf, create_graph=True)
        made.append(slope)
        value = (slope.sin() * (k + leaf)).sum()
    return made


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("layer", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_convolutions_and_their_derivatives_are_torchs(layer: Layer, dtype: torch.dtype) -> None:
    cast = nn.Module.to(layer, dtype) if isinstance(layer, nn.Module) else layer
    inputs = X.to(dtype) if isinstance(layer, nn.Module) else X
    with constant_layers():
        made = derivatives(cast, inputs, 3)
    for one, other in zip(made, derivatives(cast, inputs, 3), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12 if one.dtype == torch.float64 else 1e-3)
    assert torch.equal(made[0], cast(inputs))


@pytest.mark.parametrize("layer", NORMS.values(), ids=NORMS)
def test_norms_and_their_derivatives_are_torchs_but_for_rounding(layer: Layer) -> None:
    with constant_layers():
        made = derivatives(layer, X, 2)
    for one, other in zip(made, derivatives(layer, X, 2), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("statistics", [torch.bfloat16, torch.float32])
def test_norms_of_half_precision_are_torchs_to_the_bit(statistics: torch.dtype) -> None:
    inputs, layer = X.to(torch.bfloat16), norm().to(statistics)
    with constant_layers():
        made = layer(inputs)
    assert made.dtype == torch.bfloat16
    assert torch.equal(made, layer(inputs))


@pytest.mark.parametrize("layer", [nn.Conv2d(4, 6, 3), nn.BatchNorm2d(4).eval()], ids=["convolution", "norm"])
def test_weights_that_are_variables_get_their_gradients(layer: nn.Module) -> None:
    layer, slopes = layer.double(), []
    for context in (nullcontext, constant_layers):
        with context():
            slopes.append(torch.autograd.grad(layer(X).sin().sum(), list(layer.parameters())))
    for one, other in zip(*slopes, strict=True):
        torch.testing.assert_close(one, other)


def test_a_norm_in_training_still_learns_its_statistics() -> None:
    layers = [nn.BatchNorm2d(4).double().requires_grad_(False) for _ in range(2)]
    layers[0](X)
    with constant_layers():
        layers[1](X)
    expected, learned = (layer.get_buffer("running_mean") for layer in layers)
    torch.testing.assert_close(learned, expected, rtol=0, atol=0)
    assert bool(learned.any())


GEOMETRY = geometry_of((2, 1), (1, 0), (1, 1), 2)


def test_both_maps_are_differentiated_rightly_as_often_as_one_likes() -> None:
    weight, inputs = normal(4, 2, 3, 3, seed=1), X[:1, :, :5, :4].clone().requires_grad_()
    signal = ConstantConvolution.apply(inputs, weight, None, GEOMETRY).detach().requires_grad_()

    def forwards(x: Tensor) -> Tensor:
        return torch.sin(ConstantConvolution.apply(x, weight, None, GEOMETRY))

    def backwards(g: Tensor) -> Tensor:
        return torch.sin(TransposedConvolution.apply(g, weight, GEOMETRY, (inputs.shape, inputs.stride())))

    for function, at in ((forwards, inputs), (backwards, signal)):
        assert gradcheck(function, at)
        assert gradgradcheck(function, at)


def test_the_transpose_is_the_one_that_inner_products_define() -> None:
    weight, signal = normal(4, 2, 3, 3, seed=1), normal(2, 4, 5, 6, seed=2)
    pulled = pull_back(signal, weight, GEOMETRY, (X.shape, X.stride()))
    outputs = functional.conv2d(X, weight, None, *GEOMETRY[:3], groups=2)
    torch.testing.assert_close((pulled * X).sum(), (signal * outputs).sum())


def test_a_gradient_that_is_pulled_back_reaches_a_weight_that_is_a_variable() -> None:
    weight, signal = normal(4, 2, 3, 3, seed=1).requires_grad_(), normal(2, 4, 5, 6, seed=2)
    (slope,) = torch.autograd.grad(pull_back(signal, weight, GEOMETRY, (X.shape, X.stride())).square().sum(), weight)
    assert bool(slope.any())


class Products(TorchDispatchMode):
    """Counts the products with kernels that are computed in a context."""

    n = 0

    def __torch_dispatch__(self, func: Any, types: object, args: Any = (), kwargs: Any = None) -> Any:
        if func == torch.ops.aten.convolution.default:
            self.n += 1
        if func == torch.ops.aten.convolution_backward.default:
            self.n += sum(args[-1][:2])
        return func(*args, **(kwargs or {}))


def products(context: Callable[[], Any]) -> int:
    """How many are needed for the slope of a gradient's length."""
    network, leaf = demo_network("resnet").requires_grad_(False), uniform(1, 3, 48, 48, dtype=torch.float32)
    with context(), Products() as count:  # type: ignore[no-untyped-call]
        leaf.requires_grad_()
        (slope,) = torch.autograd.grad(network(leaf)[:, 0].sum(), leaf, create_graph=True)
        torch.autograd.grad(slope.square().sum(), leaf)
    return int(count.n)


def test_no_product_is_computed_that_nobody_reads() -> None:
    """Forward, back, forward along the slope, and back where the network is not linear: before its last convolutions.

    Torch computes one more for each convolution.
    """
    layers = sum(isinstance(layer, nn.Conv2d) for layer in demo_network("resnet").modules())
    assert products(constant_layers) <= 4 * layers
    assert products(nullcontext) > products(constant_layers)
