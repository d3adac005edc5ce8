"""SRD with one choice undone: closed forms on networks where they are known."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from toys import classes, normal, relative_error, small

from srd import ATTRIBUTORS, relevance
from srd.ablations import PostActivationRatio, ScalarRatio, coarse, post_activation, scalar
from srd.decomposition import decompose_by_rules
from srd.lost_relevance import LostRelevance
from srd.options import SrdOptions
from srd.registry import ABLATIONS
from srd.rules import SharingRatio
from srd.surrogates import softplus

X, TARGET = normal(2, 3, 7, 8), classes(2)


def stacked(channels: int, activation: Callable[[], nn.Module], *, bias: bool) -> nn.Sequential:
    """Two convolutions, each with its activation, pooling and a linear layer."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        convolutions = [nn.Conv2d(c, channels, 3, bias=bias) for c in (3, channels)]
        head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 4))
        layers = [layer for convolution in convolutions for layer in (convolution, activation())]
        return nn.Sequential(*layers, *head).double().eval()


@pytest.mark.parametrize("bias", ["norm", "ratio", "uniform", "drop"])
def test_a_ratio_per_neuron_is_the_gradient_times_the_input_where_relus_have_no_bias(bias: str) -> None:
    network, x = stacked(5, nn.ReLU, bias=False), X.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(network(x).gather(1, TARGET[:, None]).sum(), x)
    maps = scalar(network, X, TARGET, contrast="none", bias=bias)  # type: ignore[arg-type]
    assert relative_error(maps, (X * gradient).sum(1)) <= 1e-9


@pytest.mark.parametrize("rules", [SharingRatio, ScalarRatio, PostActivationRatio])
@pytest.mark.parametrize("contrast", ["none", "mean"])
@pytest.mark.parametrize("activation", [nn.ReLU, nn.SiLU, nn.GELU])
def test_each_keeps_its_books(rules: type[SharingRatio], contrast: str, activation: Callable[[], nn.Module]) -> None:
    losses = LostRelevance()
    options = SrdOptions(contrast=contrast)  # type: ignore[arg-type]
    maps, initial = decompose_by_rules(options, rules("norm", losses), stacked(5, activation, bias=True), X, TARGET)
    missing = maps.sum((1, 2)) + losses.total(len(X)) - initial.sum((1, 2))
    assert float(missing.abs().max()) <= 1e-12 * float(initial.abs().sum())


def test_after_a_relu_only_active_neurons_share() -> None:
    conv, relu, *_, pool, flatten, linear = stacked(5, nn.ReLU, bias=False)
    network = nn.Sequential(conv, relu, pool, flatten, linear)
    after = relu(conv(X)).detach()
    relevance = (
        torch.einsum("nchw,nc->nhw", after, linear.get_parameter("weight")[TARGET])[:, None] / after[0, 0].numel()
    )
    shared = after * relevance / after.square().sum(1, keepdim=True)
    expected = (X * functional.conv_transpose2d(shared, conv.get_parameter("weight"))).sum(1).detach()
    assert relative_error(post_activation(network, X, TARGET, contrast="none"), expected) <= 1e-9


@pytest.mark.parametrize("method", [scalar, post_activation])
@pytest.mark.parametrize("bias", ["norm", "ratio"])
def test_a_lone_tap_is_a_kernel_of_zeros_but_for_one(method: Callable[..., Tensor], bias: str) -> None:
    first, relu, _, *rest = stacked(5, nn.ReLU, bias=True)
    tap, kernel = nn.Conv2d(5, 5, 1).double(), nn.Conv2d(5, 5, 3, padding=1).double()
    with torch.no_grad():
        kernel.weight.zero_()[:, :, 1:2, 1:2] = tap.weight
        kernel.get_parameter("bias").copy_(tap.get_parameter("bias"))
    lone, among_zeros = (nn.Sequential(first, relu, convolution, *rest) for convolution in (tap, kernel))
    expected = method(among_zeros, X, TARGET, bias=bias)
    assert relative_error(method(lone, X, TARGET, bias=bias), expected) <= 1e-9


def test_vectors_of_one_neuron_are_scalars() -> None:
    network = stacked(1, nn.ReLU, bias=True)
    expected = ATTRIBUTORS["srd"](network, X, TARGET, contrast="none")
    for ablation in (scalar, post_activation):
        assert relative_error(ablation(network, X, TARGET, contrast="none"), expected) <= 1e-9


def test_the_coarse_map_is_the_starting_relevance() -> None:
    network = small()
    assert torch.equal(coarse(network, X, TARGET), relevance(network, X, TARGET, ["relu"])["relu"])


@pytest.mark.parametrize("method", [scalar, post_activation, coarse])
@pytest.mark.parametrize("contrast", ["none", "mean"])
def test_gradients_of_the_maps_are_true(method: Callable[..., Tensor], contrast: str) -> None:
    network = small().requires_grad_(False)
    with softplus(3.0):
        assert torch.autograd.gradcheck(
            lambda x: method(network, x, torch.tensor([2]), contrast=contrast, create_graph=True),
            normal(1, 3, 4, 6).requires_grad_(),
        )


@pytest.mark.parametrize("entry", ABLATIONS, ids=lambda entry: entry.name)
def test_every_ablation_differs_from_srd(entry: Callable[..., Tensor]) -> None:
    network = small()
    assert relative_error(entry(network, X, TARGET), ATTRIBUTORS["srd"](network, X, TARGET)) > 1e-3
