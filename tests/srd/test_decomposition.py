"""SRD against its slow definition, its conservation law, and the state that it must leave as found."""

import importlib.util
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, get_args
from weakref import ref

import numpy as np
import pytest
import torch
import torchvision
from slow_srd import (
    Example,
    Residual,
    conv_norm,
    example_networks,
    pooled_linear,
    randomised,
    receptive_fields,
    slow_srd,
)
from torch import Tensor, nn
from torch.nn import functional
from toys import (
    classes,
    demo_inputs,
    demo_network,
    generator,
    left_as_found,
    normal,
    relative_error,
    shaken,
    small,
    tiny_transformer,
)

from srd.decomposition import Decomposition, account, decompose, decompose_by_rules
from srd.errors import UnsupportedOperation
from srd.functions import Elementwise
from srd.metrics.pearson import pearson
from srd.options import SrdOptions
from srd.propagation import Contrast
from srd.registry import ATTRIBUTORS
from srd.rules import Bias, SharingRatio
from srd.surrogates import softplus

BIAS_RULES: tuple[Bias, ...] = get_args(Bias)
CONTRASTS: tuple[Contrast, ...] = get_args(Contrast)
NETWORKS = example_networks()

every_example = pytest.mark.parametrize("name", NETWORKS)
every_bias = pytest.mark.parametrize("bias", BIAS_RULES)


@cache
def example(name: str) -> tuple[Example, Tensor]:
    draw = generator(0)
    network = NETWORKS[name](draw)
    return network, torch.randn(network.image_shape, generator=draw, dtype=torch.float64)


def fast(network: Example, image: Tensor, bias: Bias, contrast: Contrast) -> Decomposition:
    whole = nn.Sequential(network.encoder, network.head)
    return account(whole, image[None], torch.tensor([1]), encoder="0", bias=bias, contrast=contrast)


# The definition.


@every_example
@every_bias
@pytest.mark.parametrize("contrast", CONTRASTS)
def test_backward_pass_equals_the_definition(name: str, bias: Bias, contrast: Contrast) -> None:
    network, image = example(name)
    slow = slow_srd(network.encoder, network.head, image, 1, bias=bias, contrast=contrast)
    result = fast(network, image, bias, contrast)
    assert relative_error(result.maps[0], torch.from_numpy(slow.map)) <= 1e-9
    assert relative_error(result.initial[0], torch.from_numpy(slow.relevance)) <= 1e-9
    assert float(result.lost) == pytest.approx(slow.lost, rel=1e-9, abs=1e-9 * np.abs(slow.map).sum())


@every_example
@every_bias
def test_receptive_fields_built_forward_sum_to_the_map(name: str, bias: Bias) -> None:
    network, image = example(name)
    result = fast(network, image, bias, "none")
    fields = torch.from_numpy(receptive_fields(network.encoder, image, bias=bias))
    summed = torch.einsum("pq,pqhw->hw", result.initial[0], fields)
    assert relative_error(result.maps[0], summed) <= 1e-9


@every_example
@pytest.mark.parametrize("contrast", CONTRASTS)
def test_a_start_from_grad_cam_weighs_the_receptive_fields_by_it(name: str, contrast: Contrast) -> None:
    network, image = example(name)
    whole, (*below, last) = nn.Sequential(network.encoder, network.head), network.encoder
    before = nn.Sequential(*below)(image[None]).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(network.head(last(before.clone()))[0, 1], before)
    cam = torch.einsum("chw,c->hw", before[0].detach(), gradient[0].mean((1, 2)))
    expected = cam - cam.mean() if contrast == "mean" else cam
    result = account(whole, image[None], torch.tensor([1]), encoder="0", contrast=contrast, start="gradcam")
    assert relative_error(result.initial[0], expected) <= 1e-9
    fields = torch.from_numpy(receptive_fields(network.encoder, image))
    assert relative_error(result.maps[0], torch.einsum("pq,pqhw->hw", expected, fields)) <= 1e-9


@every_bias
def test_a_convolution_with_two_readers_is_as_if_run_once_for_each(bias: Bias) -> None:
    conv, norm, last = nn.Conv2d(3, 5, 3, padding=1), nn.BatchNorm2d(5), nn.BatchNorm2d(5)
    rest = nn.Sequential(norm, nn.ReLU(), *conv_norm(5, 5, 3))
    shared = nn.Sequential(conv, Residual(rest, nn.Identity()), last, nn.ReLU())
    twice = nn.Sequential(Residual(nn.Sequential(conv, rest), conv), last, nn.ReLU())
    randomised(shared, generator(0))
    head = pooled_linear(5)
    randomised(head, generator(1))
    x, target = normal(2, 3, 6, 7), classes(2)
    a, b = (account(nn.Sequential(encoder, head), x, target, bias=bias) for encoder in (shared, twice))
    assert relative_error(a.maps, b.maps) <= 1e-12
    torch.testing.assert_close(a.lost, b.lost, rtol=0, atol=1e-12 * float(a.maps.abs().sum()))


def test_a_bias_rule_matters_only_where_there_is_a_bias() -> None:
    network = small()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d) and module.bias is not None:
                module.bias.zero_()
            if isinstance(module, nn.BatchNorm2d):
                module.bias.zero_()
                nn.init.zeros_(module.running_mean)  # type: ignore[arg-type]
    maps = [decompose(network, normal(2, 3, 7, 8), classes(2), bias=bias) for bias in BIAS_RULES]
    assert all(relative_error(other, maps[0]) <= 1e-12 for other in maps[1:])
    plain = [decompose(small(), normal(2, 3, 7, 8), classes(2), bias=bias) for bias in BIAS_RULES]
    assert all(relative_error(other, plain[0]) > 1e-3 for other in plain[1:])


def test_contrast_takes_the_mean_from_the_starting_relevance() -> None:
    x, target = normal(2, 3, 7, 8), classes(2)
    none, mean = (account(small(), x, target, contrast=contrast) for contrast in CONTRASTS)
    centred = none.initial - none.initial.mean((1, 2), keepdim=True)
    assert relative_error(mean.initial, centred) <= 1e-12


def test_defaults_are_norm_and_mean() -> None:
    x, target = normal(2, 3, 7, 8), classes(2)
    stated = decompose(small(), x, target, bias="norm", contrast="mean")
    assert torch.equal(decompose(small(), x, target), stated)


# Conservation.


class Through(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


IDENTITIES: dict[str, Callable[[Tensor], Tensor]] = {
    "dropout": nn.Dropout2d(),
    "dropout in place": nn.Dropout(inplace=True),
    "alpha dropout": nn.AlphaDropout(),
    "contiguous": lambda x: x.contiguous(),
    "to its own type": lambda x: x.to(x.dtype).double(),
}


@pytest.mark.parametrize("name", ["srd", "lrp_z_plus", "full_grad", "deep_lift"])
@pytest.mark.parametrize("identity", IDENTITIES)
def test_what_returns_its_input_is_no_operation(identity: str, name: str) -> None:
    """Between a convolution and its norm, after the norm, and after the activation."""

    def network(between: Callable[[], nn.Module]) -> nn.Module:
        torch.manual_seed(0)
        block = [nn.Conv2d(3, 5, 3), between(), nn.BatchNorm2d(5), between(), nn.ReLU(), between()]
        last = [nn.Conv2d(5, 4, 3), between(), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)]
        return shaken(nn.Sequential(*block, *last).double()).eval()

    inputs, target = normal(2, 3, 8, 8), classes(2, 3)
    maps, expected = (
        ATTRIBUTORS[name](network(between), inputs, target)
        for between in (lambda: Through(IDENTITIES[identity]).eval(), nn.Identity)
    )
    torch.testing.assert_close(maps, expected)


def vgg(layers: int, batch_norm: bool) -> nn.Module:
    """torchvision's, with a classifier that is quickly drawn: the encoder ends below it."""
    suffix = "_bn" if batch_norm else ""
    with torch.device("meta"):
        features = getattr(torchvision.models, f"vgg{layers}{suffix}")().features
    network = nn.Sequential(features.to_empty(device="cpu"))
    network.append(nn.Sequential(nn.AdaptiveAvgPool2d(7), nn.Flatten(), nn.Linear(512 * 49, 32), nn.ReLU()))
    network.append(nn.Linear(32, 4))
    draw = generator(layers)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                scale = (2 / (9 * module.in_channels)) ** 0.5
                module.weight.copy_(scale * torch.randn(module.weight.shape, generator=draw))
    return network


LARGE: dict[str, Callable[[], nn.Module]] = {
    "vgg11": lambda: vgg(11, False),
    "vgg11_bn": lambda: vgg(11, True),
    "vgg16": lambda: vgg(16, False),
    "resnet18": lambda: torchvision.models.resnet18(num_classes=4),
    "resnet50": lambda: torchvision.models.resnet50(num_classes=4),
}


@cache
def large(name: str) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return shaken(LARGE[name]())


def unexplained(result: Decomposition) -> float:
    """Return the relevance that is neither in the map nor lost, in units of all starting relevance; the worst row."""
    missing = result.maps.sum((1, 2)) + result.lost - result.initial.sum((1, 2))
    return float((missing.abs() / result.initial.abs().sum((1, 2))).max())


@every_bias
@pytest.mark.parametrize("name", LARGE)
def test_relevance_is_conserved_in_known_networks(name: str, bias: Bias) -> None:
    x = normal(2, 3, 64, 64, dtype=torch.float32)
    result = account(large(name), x, classes(2), bias=bias, contrast="none")
    assert unexplained(result) <= 1e-4
    if bias != "drop":
        assert float((result.lost.abs() / result.initial.abs().sum((1, 2))).max()) <= 1e-4


@every_bias
@pytest.mark.parametrize("name", ["vgg", "resnet"])
def test_relevance_is_conserved_in_the_demo_networks(name: str, bias: Bias) -> None:
    x, target = demo_inputs(4)
    assert unexplained(account(demo_network(name), x, target, bias=bias, contrast="none")) <= 1e-4


@pytest.mark.parametrize("name", LARGE)
def test_maps_of_two_classes_are_no_copies_or_negatives(name: str) -> None:
    x = normal(1, 3, 64, 64, dtype=torch.float32)
    first, second = (decompose(large(name), x, torch.tensor([c])) for c in (0, 1))
    assert abs(float(pearson(first, second))) < 0.995


@pytest.mark.parametrize("name", ["vgg", "resnet"])
def test_maps_of_two_classes_of_a_trained_network_are_no_copies_or_negatives(name: str) -> None:
    x, target = demo_inputs(6)
    first, second = (decompose(demo_network(name), x, c) for c in (target, (target + 1) % 6))
    assert float(pearson(first, second).abs().mean()) < 0.9


def real(file: str, function: str, weights: str) -> nn.Module:
    if "SRD_AUDIT_REAL" not in os.environ:
        pytest.skip("SRD_AUDIT_REAL names no folder with real networks")
    folder = Path(os.environ["SRD_AUDIT_REAL"])
    spec = importlib.util.spec_from_file_location(Path(file).stem, folder / file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network: nn.Module = getattr(module, function)()
    state = torch.load(folder / weights, weights_only=True)
    network.load_state_dict(
        {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
    )
    return network.eval()


@every_bias
def test_relevance_is_conserved_in_a_real_resnet20(bias: Bias) -> None:
    network = real("cifar10/cifar_resnet.py", "resnet20", "cifar10/resnet20.pt")
    x = normal(4, 3, 32, 32, dtype=torch.float32)
    assert unexplained(account(network, x, classes(4), bias=bias, contrast="none")) <= 1e-4


@every_bias
def test_relevance_is_conserved_in_a_real_spatial_transformer(bias: Bias) -> None:
    network = real("gtsrb/gtsrb_stn.py", "build", "gtsrb/gtsrb_stn.pt")
    x = normal(4, 3, 32, 32, dtype=torch.float32)
    assert unexplained(account(network, x, classes(4), bias=bias, contrast="none")) <= 1e-4


@every_bias
def test_relevance_is_conserved_in_a_real_mobilenet(bias: Bias) -> None:
    network = real("imagenet/mobilenet_v2.py", "mobilenet_v2", "imagenet/mobilenet_v2_fp16.pt")
    x = normal(1, 3, 224, 224, dtype=torch.float32)
    assert unexplained(account(network, x, torch.tensor([7]), bias=bias, contrast="none")) <= 1e-4


# What is around it.


def test_the_network_is_left_as_found() -> None:
    network, x, target = small().train(), normal(2, 3, 7, 8), classes(2)
    network.branch.eval()
    network.stem[0].requires_grad_(False)
    network.relu.register_forward_hook(lambda *_: None)
    with left_as_found(network, x, target):
        decompose(network, x, target)
        decompose(network, x, target, encoder="stem")
        decompose(network, x.clone().requires_grad_(), target, create_graph=True)


def test_the_network_is_left_as_found_after_a_refusal() -> None:
    network, x, target = nn.Sequential(small(), nn.Sigmoid()).train(), normal(2, 3, 7, 8), classes(2)
    with left_as_found(network, x, target), pytest.raises(ValueError, match="no module of this name"):
        decompose(network, x, target, encoder="nowhere")
    with left_as_found(network, x, target), pytest.raises(UnsupportedOperation, match="single position"):
        decompose(network, x, target, encoder="1")


class Watching(SharingRatio):
    """Counts what activations have read that is alive when relevance reaches each of them."""

    def __init__(self, bias: Bias) -> None:
        super().__init__(bias)
        self._read: list[ref[Tensor]] = []
        self.alive: list[int] = []

    def activation(self, phi: Elementwise, before: Tensor, channels: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        self._read.append(ref(before))
        return super().activation(phi, before, channels)

    def _through_activation(self, before: Tensor, *others: Any) -> Tensor:
        self.alive.append(len({id(read()) for read in self._read} - {id(None)}))
        return super()._through_activation(before, *others)


def silu_by_hand(x: Tensor) -> Tensor:
    return x * torch.sigmoid(x)


@every_bias
@pytest.mark.parametrize("activation", [functional.relu, silu_by_hand])
def test_what_activations_have_read_is_let_go_of_on_the_way_down(bias: Bias, activation: Callable[..., Tensor]) -> None:
    class Deep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolutions = nn.ModuleList(nn.Conv2d(3, 3, 3, padding=1) for _ in range(6))

        def forward(self, x: Tensor) -> Tensor:
            for convolution in self.convolutions:
                x = activation(convolution(x))
            return x.mean((2, 3))

    rules, x = Watching(bias), normal(1, 3, 7, 8, dtype=torch.float32)
    decompose_by_rules(SrdOptions(contrast="none"), rules, Deep(), x, classes(1, 3))
    assert rules.alive == sorted(rules.alive, reverse=True)
    assert rules.alive[0] - rules.alive[-1] == len(rules.alive) - 1 > 0


def test_training_mode_does_not_change_the_map() -> None:
    x, target = normal(2, 3, 7, 8), classes(2)
    assert torch.equal(decompose(small().train(), x, target), decompose(small(), x, target))


@pytest.mark.parametrize(
    "ambient", [torch.no_grad, torch.inference_mode, lambda: torch.autocast("cpu", torch.bfloat16)]
)
def test_ambient_state_does_not_change_the_map(ambient: Callable[[], torch.no_grad]) -> None:
    network, x, target = small().float(), normal(2, 3, 7, 8).float(), classes(2)
    expected = decompose(network, x, target)
    with ambient():
        result = decompose(network, x.clone(), target.clone())
    assert torch.equal(result, expected)


def test_a_graph_is_made_under_no_grad() -> None:
    x = normal(1, 3, 7, 8).requires_grad_()
    with torch.no_grad(), softplus(3.0):
        maps = decompose(small(), x, classes(1), create_graph=True)
    (gradient,) = torch.autograd.grad(maps.square().sum(), x)
    assert float(gradient.abs().max()) > 0


def test_frozen_parameters_do_not_change_the_map() -> None:
    x, target = normal(2, 3, 7, 8), classes(2)
    assert torch.equal(decompose(small().requires_grad_(False), x, target), decompose(small(), x, target))


def test_maps_are_detached_unless_a_graph_is_asked_for() -> None:
    x = normal(1, 3, 7, 8).requires_grad_()
    result = account(small(), x, classes(1))
    assert not any(part.requires_grad for part in (result.maps, result.initial, result.lost))
    assert decompose(small(), x, classes(1), create_graph=True).requires_grad


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_maps_have_the_type_and_size_of_the_inputs(dtype: torch.dtype) -> None:
    maps = decompose(small().to(dtype), normal(1, 3, 9, 6, dtype=dtype), classes(1))
    assert maps.dtype == dtype
    assert maps.shape == (1, 9, 6)


def test_float32_follows_float64() -> None:
    x, target = normal(2, 3, 7, 8), classes(2)
    single = decompose(small().float(), x.float(), target).double()
    assert relative_error(single, decompose(small(), x, target)) <= 1e-4


def test_memory_order_does_not_change_the_map() -> None:
    x, target = normal(2, 3, 7, 8), classes(2)
    last = decompose(small().to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last), target)
    strided = decompose(small(), x.transpose(2, 3).contiguous().transpose(2, 3), target)
    expected = decompose(small(), x, target)
    assert relative_error(last, expected) <= 1e-12
    assert relative_error(strided, expected) <= 1e-12


@every_bias
def test_a_row_does_not_depend_on_its_batch(bias: Bias) -> None:
    x, target = normal(4, 3, 7, 8), classes(4)
    x[3] = 0
    together = account(small(), x, target, bias=bias)
    for row in range(4):
        alone = account(small(), x[row : row + 1], target[row : row + 1], bias=bias)
        scale = float(together.maps.abs().max())
        torch.testing.assert_close(alone.maps[0], together.maps[row], rtol=0, atol=1e-12 * scale)
        torch.testing.assert_close(alone.lost[0], together.lost[row], rtol=0, atol=1e-12 * scale)


def test_black_images_give_zero_and_lose_everything() -> None:
    result = account(small(), torch.zeros(1, 3, 7, 8, dtype=torch.float64), classes(1), contrast="none")
    assert not result.maps.any()
    torch.testing.assert_close(result.lost, result.initial.sum((1, 2)))


@every_bias
def test_what_contrast_gives_to_dead_vectors_is_lost(bias: Bias) -> None:
    network = nn.Sequential(nn.Conv2d(3, 5, 1, bias=False), nn.ReLU(), pooled_linear(5)).double()
    x = normal(8, 3, 6, 7)
    x[:, :, :2] = 0
    result = account(network, x, classes(8), bias=bias, contrast="mean")
    torch.testing.assert_close(result.lost, result.initial[:, :2].sum((1, 2)))
    assert float(result.lost.abs().sum()) > 1e-3 * float(result.initial.abs().sum())
    torch.testing.assert_close(result.maps, torch.cat([torch.zeros_like(x[:, 0, :2]), result.initial[:, 2:]], 1))


@pytest.mark.parametrize(
    ("option", "known"),
    [
        ("bias", "norm, ratio"),
        ("contrast", "none, mean"),
        ("start", "gradient, gradcam"),
        ("precision", "full, mixed"),
    ],
)
def test_unknown_options_are_refused_with_those_there_are(option: str, known: str) -> None:
    with pytest.raises(ValueError, match=rf"{option} 'loud' is not one of {known}"):
        decompose(small(), normal(1, 3, 7, 8), classes(1), **{option: "loud"})  # type: ignore[arg-type]


# Its own derivative, which an attack follows.


@every_bias
@pytest.mark.parametrize("contrast", CONTRASTS)
@pytest.mark.parametrize("smooth", [False, True], ids=["relu", "softplus"])
def test_gradients_of_the_map_are_true(bias: Bias, contrast: Contrast, smooth: bool) -> None:
    network, target = small().requires_grad_(False), torch.tensor([2])

    def maps(x: Tensor) -> Tensor:
        if not smooth:
            return decompose(network, x, target, bias=bias, contrast=contrast, create_graph=True)
        with softplus(3.0):
            return decompose(network, x, target, bias=bias, contrast=contrast, create_graph=True)

    assert torch.autograd.gradcheck(maps, normal(1, 3, 4, 6).requires_grad_())


class Gated(nn.Module):
    """A convolution, a layer norm over its channels, squeeze-excite, pooling and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 2)
        self.norm = nn.LayerNorm(4)
        self.squeeze = nn.Conv2d(4, 4, 1)
        self.last = nn.Sequential(nn.Conv2d(4, 3, 2), nn.GELU())
        self.head = nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.silu(self.norm(self.first(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2))
        gate = self.squeeze(x.mean((2, 3), keepdim=True)).sigmoid()
        logits: Tensor = self.head(self.last(x * gate).mean((2, 3)))
        return logits


def gated() -> Gated:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return shaken(Gated()).double()


@every_bias
@pytest.mark.parametrize("network", [gated, tiny_transformer])
def test_gradients_through_what_is_held_constant_are_true(network: Callable[[], nn.Module], bias: Bias) -> None:
    built, size = network().requires_grad_(False), 8 if network is tiny_transformer else 4
    assert torch.autograd.gradcheck(
        lambda x: decompose(built, x, torch.tensor([2]), bias=bias, create_graph=True),
        normal(1, 3, size, size).requires_grad_(),
        fast_mode=True,  # along a random direction: there are 192 inputs
    )


def pooled() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        encoder = nn.Sequential(
            nn.Conv2d(2, 12, 3, padding=2, dilation=2, groups=2), nn.ReLU(), nn.AvgPool2d(2, stride=1)
        )
        encoder.extend([nn.Conv2d(12, 4, 2, groups=2), nn.BatchNorm2d(4), nn.SiLU()])
        head = nn.Sequential(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3))
        return nn.Sequential(encoder, head).double().requires_grad_(False)


@every_bias
def test_gradients_of_a_pooled_and_grouped_map_are_true(bias: Bias) -> None:
    network = shaken(pooled())
    assert torch.autograd.gradcheck(
        lambda x: decompose(network, x, torch.tensor([2]), bias=bias, create_graph=True),
        normal(1, 2, 5, 6).requires_grad_(),
    )
