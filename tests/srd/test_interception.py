"""Interception of a network: its encoder, in-place operations, constants, and everything that must be refused."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import resnet50
from toys import Swish, classes, demo_inputs, demo_network, normal, relative_error, shaken

from srd.decomposition import Decomposition, account, decompose
from srd.entries import DeclaredRule
from srd.errors import ModelError, UnsupportedOperation
from srd.interception import Interception
from srd.laws import check_law
from srd.passes import scores_of
from srd.registry import ATTRIBUTORS
from srd.rules import SharingRatio

Middle = Callable[[Tensor], Any]
X = normal(2, 3, 7, 8)
TARGET = classes(2)
CHANNELS = normal(4, 1, 1, seed=1)


class Between(nn.Module):
    """A convolution, `middle`, a convolution with its activation, global average pooling and a linear layer."""

    def __init__(self, middle: Middle) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.middle = middle
        self.last = nn.Sequential(nn.Conv2d(4, 5, 3, padding=1), nn.ReLU())
        self.unused = nn.ReLU()
        self.head = nn.Linear(5, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.head(self.last(self.middle(self.first(inputs))).mean((2, 3)))
        return logits


def between(middle: Middle) -> Between:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return shaken(Between(middle)).double()


def books(middle: Middle) -> Decomposition:
    return account(between(middle), X, TARGET, contrast="none")


# The encoder.


@pytest.mark.parametrize(("name", "encoder"), [("resnet", "layer4"), ("vgg", "features")])
def test_the_encoder_found_is_the_one_that_is_named(name: str, encoder: str) -> None:
    x, target = demo_inputs(2)
    found = account(demo_network(name), x, target)
    named = account(demo_network(name), x, target, encoder=encoder)
    assert found.initial.shape == (2, 6, 6)
    assert torch.equal(found.maps, named.maps)


def test_of_a_vgg_it_is_the_last_activation_not_the_pooled_map() -> None:
    x, target = demo_inputs(1)
    trace = Interception(x.requires_grad_(), SharingRatio("drop"))
    with trace:
        logits = demo_network("vgg")(x)
    end, gradient = trace.encoder_end(logits, scores_of(logits, target))
    assert end.after.shape == gradient.shape == (1, 96, 6, 6)
    assert account(demo_network("vgg"), x, target).initial.shape == (1, 6, 6)


def test_a_map_whose_mean_is_the_logits_is_no_encoder() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU())
        classifier = nn.Sequential(nn.Conv2d(5, 4, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network = shaken(nn.Sequential(encoder, classifier)).double()
    assert torch.equal(decompose(network, X, TARGET), decompose(network, X, TARGET, encoder="0"))
    assert not torch.equal(decompose(network, X, TARGET), decompose(network, X, TARGET, encoder="1"))


class Fire(nn.Module):
    """Ends, like SqueezeNet, in two activations side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.squeeze = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU())
        self.left = nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU())
        self.right = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU())
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(x)
        logits: Tensor = self.head(torch.cat([self.left(x), self.right(x)], 1).mean((2, 3)))
        return logits


def test_an_encoder_that_ends_in_parallel_activations_ends_where_they_meet() -> None:
    network, inputs = shaken(Fire()).double(), normal(2, 3, 6, 5)
    found = account(network, inputs, classes(2), contrast="none")
    torch.testing.assert_close(found.maps.sum((1, 2)) + found.lost, found.initial.sum((1, 2)))
    features = torch.cat([branch(network.squeeze(inputs)) for branch in (network.left, network.right)], 1)
    torch.testing.assert_close(
        found.initial, torch.einsum("nchw,nc->nhw", features, network.head.weight[classes(2)]) / 30
    )
    named = account(network, inputs, classes(2), contrast="none", encoder="squeeze")
    assert relative_error(named.maps, found.maps) > 1e-3
    with pytest.raises(UnsupportedOperation, match="paths go around"):
        account(network, inputs, classes(2), encoder="right")


def test_a_residual_network_on_images_too_small_for_its_last_stage_keeps_its_books() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = shaken(resnet50(num_classes=4)).double()
    inputs = normal(1, 3, 32, 32)
    books = account(network, inputs, classes(1), contrast="none")
    torch.testing.assert_close(books.maps.sum((1, 2)) + books.lost, books.initial.sum((1, 2)))
    assert abs(float(account(network, inputs, classes(1), contrast="mean").maps.sum())) < 1e-9


def test_what_is_above_the_encoder_is_not_decomposed() -> None:
    network = between(functional.relu)
    network.head = nn.Sequential(nn.Linear(5, 4), nn.LayerNorm(4), nn.Sigmoid())  # type: ignore[assignment]
    result = account(network.double(), X, TARGET, contrast="none")
    assert relative_error(result.maps.sum((1, 2)) + result.lost, result.initial.sum((1, 2))) <= 1e-12


def test_an_unknown_encoder_is_refused_with_those_there_are() -> None:
    with pytest.raises(ModelError, match=r"'layer9'.*first, last, unused, head"):
        decompose(between(functional.relu), X, TARGET, encoder="layer9")


def test_of_a_module_without_activation_the_output_is_the_encoders() -> None:
    network = between(functional.relu)
    result = account(network, X, TARGET, encoder="last.0", contrast="none")
    before = network.last[0](functional.relu(network.first(X))).detach().requires_grad_()
    scores = network.head(before.relu().mean((2, 3))).gather(1, TARGET[:, None])
    (gradient,) = torch.autograd.grad(scores.sum(), before)
    assert relative_error(result.initial, (before.detach() * gradient).sum(1)) <= 1e-12


def test_an_encoder_whose_output_has_one_position_is_refused() -> None:
    with pytest.raises(UnsupportedOperation, match="single position"):
        decompose(between(functional.relu), X, TARGET, encoder="head")


def test_an_encoder_that_is_not_run_is_refused() -> None:
    with pytest.raises(ModelError, match="'unused': the network does not run"):
        decompose(between(functional.relu), X, TARGET, encoder="unused")


def test_a_network_without_a_spatial_activation_is_refused() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 7 * 8, 5), nn.ReLU(), nn.Linear(5, 4)).double()
    with pytest.raises(UnsupportedOperation, match=r"no features"):
        decompose(network, X, TARGET)


# The same function, written otherwise, has the same map.


def residual(x: Tensor) -> Tensor:
    return functional.relu(functional.relu(x) + x)


def residual_in_place(x: Tensor) -> Tensor:
    out = functional.relu(x)
    out += x
    return functional.relu(out, inplace=True)


def residual_by_methods(x: Tensor) -> Tensor:
    out: Tensor = x.relu().add(x)
    out.relu_()
    return out


def residual_by_torch(x: Tensor) -> Tensor:
    out = torch.relu(x)
    out.add_(x)
    torch.relu_(out)
    return out


def residual_by_one_module(x: Tensor) -> Tensor:
    relu = nn.ReLU(inplace=True)
    out: Tensor = relu(x.clone())
    out += x
    relu(out)
    return out


@pytest.mark.parametrize("written", [residual_in_place, residual_by_methods, residual_by_torch, residual_by_one_module])
def test_in_place_and_out_of_place_are_the_same(written: Middle) -> None:
    expected, result = books(residual), books(written)
    assert relative_error(result.maps, expected.maps) <= 1e-12
    torch.testing.assert_close(result.lost, expected.lost, rtol=0, atol=1e-12)


def test_one_module_in_place_three_times() -> None:
    x, target = X.float(), TARGET

    def network(*relus: nn.Module) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            convs = [nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 2)]
        layers = [layer for pair in zip(convs, relus, strict=True) for layer in pair]
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())

    once = nn.ReLU(inplace=True)
    expected = decompose(network(nn.ReLU(), nn.ReLU(), nn.ReLU()), x, target)
    assert torch.equal(decompose(network(once, once, once), x, target), expected)


def test_in_place_operations_leave_the_callers_inputs() -> None:
    kept = X.clone()
    network = nn.Sequential(nn.ReLU(inplace=True), between(functional.relu)).eval()
    decompose(network, kept, TARGET)
    assert torch.equal(kept, X)
    decompose(network, kept.requires_grad_(), TARGET, create_graph=True)
    assert torch.equal(kept, X)


@pytest.mark.parametrize(
    "written",
    [
        lambda x: functional.hardtanh(x, 0.0, 6.0),
        nn.ReLU6(inplace=True),
        lambda x: x.clamp(0, 6),
        lambda x: torch.clamp(input=x, min=0, max=6),
    ],
)
def test_relu6_however_written(written: Middle) -> None:
    assert relative_error(books(lambda x: written(9 * x)).maps, books(lambda x: functional.relu6(9 * x)).maps) <= 1e-12


@pytest.mark.parametrize(
    "written",
    [
        lambda conv, x: functional.conv2d(x, conv.weight, conv.bias, padding="same", dilation=2),
        lambda conv, x: functional.conv2d(functional.pad(x, (2, 2, 2, 2)), conv.weight, conv.bias, dilation=2),
        lambda conv, x: torch.conv2d(x, conv.weight, conv.bias, 1, (2, 2), 2),
        lambda conv, x: functional.conv2d(input=x, weight=conv.weight, bias=conv.bias, padding=2, dilation=(2, 2)),
    ],
)
def test_a_convolution_however_written(written: Callable[[nn.Conv2d, Tensor], Tensor]) -> None:
    conv = shaken(nn.Conv2d(4, 4, 3, padding=2, dilation=2)).double()
    expected, result = books(lambda x: functional.relu(conv(x))), books(lambda x: functional.relu(written(conv, x)))
    assert relative_error(result.maps, expected.maps) <= 1e-12


def test_an_even_kernel_is_padded_below_and_to_the_right() -> None:
    conv = shaken(nn.Conv2d(4, 4, 2)).double()
    same = books(lambda x: functional.relu(functional.conv2d(x, conv.weight, conv.bias, padding="same")))
    padded = books(lambda x: functional.relu(conv(functional.pad(x, (0, 1, 0, 1)))))
    assert relative_error(same.maps, padded.maps) <= 1e-12


def test_a_kernel_larger_than_its_inputs_is_the_part_that_reads_them() -> None:
    kernel = normal(4, 4, 3, 3)
    whole = books(lambda x: functional.relu(functional.conv2d(x[:, :, :1], kernel, X[0, 0, :4, 0], 2, 1)))
    row = books(lambda x: functional.relu(functional.conv2d(x[:, :, :1], kernel[:, :, 1:2], X[0, 0, :4, 0], 2, (0, 1))))
    assert relative_error(whole.maps, row.maps) <= 1e-12


def test_dropout_and_identity_do_nothing_in_evaluation() -> None:
    expected = books(functional.relu)
    for layer in (nn.Dropout(0.5), nn.Dropout2d(0.5, inplace=True), nn.Identity(), nn.AlphaDropout(0.5)):
        result = books(nn.Sequential(layer, nn.ReLU()).eval())
        assert relative_error(result.maps, expected.maps) <= 1e-12


def test_the_shapes_and_types_of_tensors_may_be_asked() -> None:
    def middle(x: Tensor) -> Tensor:
        n, c, *_ = x.shape
        assert x.size(0) == n
        return functional.relu(x.view(n, c, *x.shape[2:]).to(x.dtype).contiguous())

    assert relative_error(books(middle).maps, books(functional.relu).maps) <= 1e-12


def first_channel_repeated(x: Tensor) -> Tensor:
    return functional.conv2d(x, torch.eye(4, dtype=x.dtype)[0].expand(4, 4)[..., None, None])


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (lambda x: x * torch.sigmoid(x), functional.silu),
        (lambda x: x.sigmoid().mul(x), functional.silu),
        (lambda x: functional.hardsigmoid(x) * x, functional.hardswish),
        (lambda x: functional.relu(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2), functional.relu),
        (lambda x: functional.relu(x.reshape(2, 2, 2, 56)).view(x.shape), functional.relu),
        (lambda x: functional.relu(x.transpose(1, 2)).transpose(1, 2), functional.relu),
        (
            lambda x: functional.relu(x[:, :1].expand(-1, 4, -1, -1)),
            lambda x: functional.relu(first_channel_repeated(x)),
        ),
        (lambda x: functional.relu(torch.cat([x[:, :1]] * 4, 1)), lambda x: functional.relu(first_channel_repeated(x))),
        (
            lambda x: functional.relu(x[:, :1] * torch.ones(1, 4, 1, 1)),
            lambda x: functional.relu(first_channel_repeated(x)),
        ),
        (lambda x: functional.instance_norm(x).relu(), lambda x: functional.relu(functional.group_norm(x, 4))),
        (
            lambda x: functional.layer_norm(x.movedim(1, 3), [4]).movedim(3, 1).relu(),
            lambda x: nn.LayerNorm(4, elementwise_affine=False)(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2).relu(),
        ),
    ],
)
def test_an_activation_however_written(written: Middle, meant: Middle) -> None:
    assert relative_error(books(written).maps, books(meant).maps) <= 1e-12


# What features are multiplied with.


def frozen(weights: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Return the weights of the first features with which the function is called."""
    kept: list[Tensor] = []

    def constant(x: Tensor) -> Tensor:
        if not kept:
            with torch.no_grad():
                kept.append(weights(between(functional.relu).first(X)))
        return kept[0]

    return constant


def squeezed(x: Tensor) -> Tensor:
    return functional.relu(x.mean((2, 3), keepdim=True) - 0.1).sigmoid()


def attending(x: Tensor) -> Tensor:
    tokens = x.flatten(2).transpose(1, 2)
    return (tokens @ tokens.transpose(1, 2) / 2).softmax(-1)


def deviation(x: Tensor) -> Tensor:
    return (x - x.mean(1, keepdim=True)).square().mean(1, keepdim=True).add(1e-5).rsqrt()


@pytest.mark.parametrize(
    ("weights", "weighted"),
    [
        (squeezed, lambda x, w: x * w),
        (squeezed, lambda x, w: w.expand_as(x).mul(x)),
        (squeezed, lambda x, w: (1 - w) * x),
        (attending, lambda x, w: (w @ x.flatten(2).transpose(1, 2)).transpose(1, 2).view(x.shape)),
        (
            attending,
            lambda x, w: torch.einsum("nij,ncj->nci", functional.dropout(w, 0.5, False), x.flatten(2)).view_as(x),
        ),
    ],
)
def test_weights_are_held_constant(weights: Middle, weighted: Callable[[Tensor, Tensor], Tensor]) -> None:
    constant = frozen(weights)
    expected = books(lambda x: functional.relu(weighted(x, constant(x))))
    result = books(lambda x: functional.relu(weighted(x, weights(x))))
    assert relative_error(result.maps, expected.maps) <= 1e-12
    torch.testing.assert_close(result.lost, expected.lost, rtol=0, atol=1e-12)


def test_a_layer_norms_deviation_is_held_constant() -> None:
    norm = shaken(nn.LayerNorm(4)).double()
    constant = frozen(deviation)

    def written_out(x: Tensor) -> Tensor:
        scale = constant(x) * norm.weight[:, None, None]
        return functional.relu((x - x.mean(1, keepdim=True)) * scale + norm.bias[:, None, None])

    def called(x: Tensor) -> Tensor:
        return functional.relu(norm(x.movedim(1, 3)).movedim(3, 1))

    expected, result = (account(between(m), X, TARGET, bias="drop", contrast="none") for m in (written_out, called))
    assert relative_error(result.maps, expected.maps) <= 1e-12
    torch.testing.assert_close(result.lost, expected.lost, rtol=0, atol=1e-12)


def test_attention_of_torch_is_attention_by_hand() -> None:
    def by_hand(x: Tensor) -> Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        return ((tokens @ tokens.transpose(1, 2) / 2).softmax(-1) @ tokens).transpose(1, 2).reshape(x.shape).relu()

    def by_torch(x: Tensor) -> Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        attended = functional.scaled_dot_product_attention(tokens, tokens, tokens)
        return attended.transpose(1, 2).reshape(x.shape).relu()

    assert relative_error(books(by_torch).maps, books(by_hand).maps) <= 1e-12


def test_probabilities_for_logits_are_explained_too() -> None:
    network = nn.Sequential(between(functional.relu), nn.Softmax(1)).eval()
    result = account(network, X, TARGET, contrast="none")
    torch.testing.assert_close(result.maps.sum((1, 2)) + result.lost, result.initial.sum((1, 2)))


@pytest.mark.parametrize(
    ("operation", "meaning", "middle", "meant"),
    [
        ("torch.erf", "activation", torch.erf, None),
        ("torch.negative", "linear", torch.negative, torch.neg),
        ("torch.exp", "gate", lambda x: functional.relu(x) * torch.exp(x.flip(1)), None),
    ],
)
def test_the_meaning_of_an_operation_may_be_declared(
    operation: str, meaning: DeclaredRule, middle: Middle, meant: Middle | None
) -> None:
    with pytest.raises(UnsupportedOperation, match=f"{operation}.*; declare it 'linear', 'gate' or 'activation'"):
        books(middle)
    result = account(between(middle), X, TARGET, contrast="none", operations={operation: meaning})
    torch.testing.assert_close(result.maps.sum((1, 2)) + result.lost, result.initial.sum((1, 2)))
    if meant:
        assert relative_error(result.maps, books(meant).maps) <= 1e-12


def sampled(x: Tensor, weights: Callable[[Tensor], Tensor]) -> Tensor:
    return functional.grid_sample(x, weights(x), align_corners=False)


def grid(x: Tensor) -> Tensor:
    theta = x.mean((2, 3))[:, :2, None] * 0.1 + torch.eye(2, 3, dtype=x.dtype)
    return functional.affine_grid(theta, list(x.shape), align_corners=False)


HELD: dict[str, tuple[Callable[[Tensor, Callable[[Tensor], Tensor]], Tensor], Middle, dict[str, DeclaredRule]]] = {
    "places of a spatial transformer": (
        sampled,
        grid,
        {"torch.nn.functional.affine_grid": "gate", "torch.nn.functional.grid_sample": "linear"},
    ),
    "a gate in a product and a sum": (
        lambda x, weights: torch.addcmul(torch.zeros_like(x), x, weights(x)),
        lambda x: x.mean(1, keepdim=True).sigmoid(),
        {"torch.addcmul": "linear"},
    ),
    "shares of attention": (
        lambda x, weights: torch.baddbmm(CHANNELS[0, 0].expand(2, 4, 56), weights(x), x.flatten(2)).view_as(x),
        lambda x: (x.flatten(2) @ x.flatten(2).transpose(1, 2)).softmax(-1),
        {"torch.baddbmm": "linear"},
    ),
    "a mask": (
        lambda x, weights: torch.lerp(x, x.flip(3), weights(x)),
        lambda x: torch.exp(-x.abs().sum(1, keepdim=True)),
        {"torch.lerp": "linear", "torch.exp": "gate"},
    ),
}
"""What is linear in features and reads weights, how the weights are made of the features, and the declarations."""


@pytest.mark.parametrize("name", HELD)
@pytest.mark.parametrize("method", ["srd", "srd_bias_ratio", "lrp_z_plus"])
def test_what_is_declared_linear_holds_weights_constant(method: str, name: str) -> None:
    apply, weights, declared = HELD[name]
    seen: list[Tensor] = []

    def remember(x: Tensor) -> Tensor:
        seen.append(weights(x).detach())
        return seen[-1]

    between(lambda x: apply(functional.relu(x), remember))(X)
    network = between(lambda x: apply(functional.relu(x), weights))
    fixed = between(lambda x: apply(functional.relu(x), lambda _: seen[0]))
    explain = ATTRIBUTORS[method]
    assert (
        relative_error(explain(network, X, TARGET, operations=declared), explain(fixed, X, TARGET, operations=declared))
        <= 1e-12
    )
    assert float(check_law(explain, network, X, TARGET, operations=declared).gap.max()) <= 1e-12


@pytest.mark.parametrize(
    ("operation", "rule", "middle"),
    [
        ("torch.erf", "gate", torch.erf),
        ("torch.atan2", "activation", lambda x: torch.atan2(x, x + 1)),
        ("torch.exp", "gate", lambda x: torch.exp(x) + x),
    ],
)
def test_a_declaration_that_does_not_fit_is_named(operation: str, rule: DeclaredRule, middle: Middle) -> None:
    with pytest.raises(UnsupportedOperation, match=rf"there is no rule for {operation} \(declared '{rule}'\)"):
        account(between(middle), X, TARGET, operations={operation: rule})


# Constants: counted, for no pixel is their source.

JOINED = normal(2, 2, 7, 8, seed=2)


@pytest.mark.parametrize(
    "with_constant",
    [
        lambda x: x + 1,
        lambda x: 1 - x,
        lambda x: (x - CHANNELS) / 2,
        lambda x: torch.add(x, CHANNELS, alpha=2),
        lambda x: torch.add(input=x, other=CHANNELS),
        lambda x: x.clone().sub_(CHANNELS),
        lambda x: functional.pad(x, (1, 0, 0, 2), value=3.0),
        nn.ConstantPad2d(1, 2.0),
        lambda x: torch.cat([x[:, :2], JOINED], 1),
        lambda x: torch.cat(tensors=(x[:, :2], JOINED), dim=1),
    ],
)
def test_constants_are_counted_as_lost(with_constant: Middle) -> None:
    result = books(lambda x: with_constant(functional.relu(x)))
    missing = result.maps.sum((1, 2)) + result.lost - result.initial.sum((1, 2))
    scale = float(result.initial.abs().sum((1, 2)).min())
    assert float(missing.abs().max()) <= 1e-12 * scale
    assert float(result.lost.abs().min()) > 1e-3 * scale


DECLARED: dict[str, Middle] = {
    "torch.nn.functional.conv_transpose2d": lambda x: functional.conv_transpose2d(
        x, normal(4, 4, 3, 3, seed=3), CHANNELS[:, 0, 0], padding=1
    ),
    "torch.nn.functional.conv1d": lambda x: functional.conv1d(
        x.flatten(2), torch.eye(4, dtype=x.dtype)[..., None], CHANNELS[:, 0, 0]
    ).view_as(x),
    "torch.addcmul": lambda x: torch.addcmul(CHANNELS, x, 1 + CHANNELS),
    "torch.lerp": lambda x: torch.lerp(CHANNELS, x, 0.3),
    "torch.Tensor.where": lambda x: x.where(CHANNELS > 0.5, CHANNELS),
}
"""Affine maps that are declared linear."""


@pytest.mark.parametrize("name", DECLARED)
@pytest.mark.parametrize("method", ["srd", "srd_no_contrast", "srd_scalar", "srd_bias_ratio", "lrp_z_plus"])
def test_the_constant_of_what_is_declared_linear_is_counted_as_lost(method: str, name: str) -> None:
    network = between(lambda x: DECLARED[name](functional.relu(x)))
    balance = check_law(ATTRIBUTORS[method], network, X, TARGET, operations={name: "linear"})
    assert float(balance.gap.max()) <= 1e-12
    assert float((balance.lost / balance.size).abs().min()) > 1e-4


def into_zeros(x: Tensor) -> Tensor:
    out = torch.zeros(x.shape, dtype=torch.float64)
    out[:, :2] = x[:, :2]
    out[:, 2:] = x[:, 2:]
    return functional.relu(out)


def into_memory(x: Tensor) -> Tensor:
    out = torch.full(x.shape, torch.nan, dtype=torch.float64)
    out[:, 2:] = x[:, 2:]
    out[:, :2] = x[:, :2]
    return functional.relu(out)


def into_features(x: Tensor) -> Tensor:
    out, again = functional.relu(x), functional.relu(x)
    out[:, 1] = again[:, 1]
    out[:, :, :2] = again[:, :, :2]
    return out


def part_in_place(x: Tensor) -> Tensor:
    doubled = torch.cat([x, x], 1)
    part = doubled[:, 4:]
    part.relu_()
    return part


@pytest.mark.parametrize(
    "written", [into_zeros, into_memory, into_features, part_in_place, lambda x: torch.empty_like(x).copy_(x).relu()]
)
def test_what_is_written_into_slices_is_what_they_are(written: Middle) -> None:
    expected, result = books(functional.relu), books(written)
    assert relative_error(result.maps, expected.maps) <= 1e-12
    torch.testing.assert_close(result.lost, expected.lost, rtol=0, atol=1e-12)


def overwritten(x: Tensor) -> Tensor:
    out = functional.relu(x)
    out[:, :2] = 7
    return out


def written_beside_constants(x: Tensor) -> Tensor:
    out = CHANNELS.expand(x.shape).clone()
    out[:, :2] = functional.relu(x[:, :2])
    return out


@pytest.mark.parametrize("written", [overwritten, written_beside_constants])
def test_constants_written_or_left_are_counted_as_lost(written: Middle) -> None:
    result = books(written)
    scale = float(result.initial.abs().sum((1, 2)).min())
    torch.testing.assert_close(
        result.maps.sum((1, 2)) + result.lost, result.initial.sum((1, 2)), rtol=0, atol=1e-12 * scale
    )
    assert float(result.lost.abs().min()) > 1e-3 * scale


def test_zeros_that_are_padded_or_joined_lose_nothing() -> None:
    zeros = torch.zeros(2, 2, 7, 8, dtype=torch.float64)
    for middle in (lambda x: functional.pad(x, (1, 1, 1, 1)), lambda x: torch.cat([x[:, :2], zeros], 1)):
        result = account(nn.Sequential(nn.ReLU(), between(middle)), X, TARGET, contrast="none")
        assert float(result.lost.abs().max()) <= 1e-12


def test_normalisation_inside_the_network_loses_the_mean() -> None:
    mean, std = normal(3, 1, 1, seed=3), torch.tensor(0.5, dtype=torch.float64)
    inner = between(functional.relu)

    class Normalising(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            logits: Tensor = inner((x - mean) / std)
            return logits

    inside = account(Normalising(), X, TARGET, contrast="none")
    outside = account(inner, (X - mean) / std, TARGET, contrast="none")
    assert relative_error(inside.initial, outside.initial) <= 1e-12
    assert float(inside.lost.abs().min()) > 1e-3
    torch.testing.assert_close(
        inside.maps.sum((1, 2)) + inside.lost, outside.maps.sum((1, 2)) + outside.lost, rtol=1e-9, atol=0
    )


# Refusals: never silently wrong.


class Reversed(torch.autograd.Function):
    """The identity, with a gradient of its own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view(x.shape)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return -gradients[0]


class Outside(torch.autograd.Function):
    """A ReLU that no torch operation makes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return torch.from_numpy(np.maximum(x.detach().numpy(), 0))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0]


def without_gradient(x: Tensor) -> Tensor:
    with torch.no_grad():
        constant = functional.relu(x)
    return constant + functional.relu(x)


def written_at_places_of_features(x: Tensor) -> Tensor:
    out = functional.relu(x)
    out[:, out.mean((0, 2, 3)).argsort()[:2]] = 7
    return out


def written_through_a_view(x: Tensor) -> Tensor:
    out = torch.zeros(x.shape, dtype=torch.float64)
    out[:, :2].copy_(x[:, :2])
    return functional.relu(x + out)


def half_in_place(x: Tensor) -> Tensor:
    x[:, :2].relu_()
    return x


def chunk_in_place(x: Tensor) -> Tensor:
    left, right = x.chunk(2, 1)
    left += 1
    return torch.cat([left, right], 1)


def read_through_an_older_view(x: Tensor) -> Tensor:
    out = x + 0
    view = out.view(out.shape)
    out.relu_()
    return view


def read_through_the_base(x: Tensor) -> Tensor:
    out = x + 0
    functional.relu_(out.view(out.shape))
    return out


REFUSED: dict[str, tuple[Middle, str]] = {
    "layer norm": (lambda x: functional.layer_norm(x, x.shape[1:]), "layer_norm"),
    "gate": (lambda x: x * x.mean((2, 3), keepdim=True), "mul"),
    "softmax": (lambda x: x.softmax(1), "softmax"),
    "power": (lambda x: functional.relu(x) ** 2, "pow"),
    "quotient": (lambda x: 1 / (1 + functional.relu(x)), "__rtruediv__"),
    "rounding division": (lambda x: torch.div(x, 0.1, rounding_mode="floor"), "div"),
    "square by mul": (lambda x: torch.mul(x, x), "mul"),
    "interpolation of channels": (
        lambda x: functional.interpolate(x.transpose(1, 3), size=(7, 4)).transpose(1, 3),
        "interpolate",
    ),
    "transposed kernel from the input": (
        lambda x: functional.conv_transpose2d(x, x.mean((0, 2, 3)).reshape(4, 1, 1, 1), groups=4),
        "conv_transpose2d with a kernel",
    ),
    "grid alone": (lambda x: sampled(CHANNELS.expand(2, 4, 7, 8), lambda _: grid(x)), "grid_sample"),
    "linear below": (lambda x: functional.linear(x, torch.eye(8, dtype=torch.float64)), "linear"),
    "moved axes": (
        lambda x: functional.conv2d(x.transpose(1, 2), torch.ones(7, 7, 1, 1).double()).transpose(1, 2),
        "conv2d over axes that were moved",
    ),
    "normalised positions": (lambda x: functional.layer_norm(x, x.shape[3:]), "layer_norm over positions"),
    "folded channels": (lambda x: functional.relu(x.reshape(2, 2, -1, 8)).reshape(x.shape), "on axes that were moved"),
    "detached": (lambda x: functional.relu(x.detach()), "detach"),
    "detached branch": (lambda x: functional.relu(x) + x.detach(), "detach"),
    "data": (lambda x: functional.relu(x.data), "data"),
    "no_grad branch": (without_gradient, "relu where gradients are off"),
    "custom function of torch": (lambda x: Reversed.apply(functional.relu(x)), "view where gradients are off"),
    "custom swish": (Swish.apply, "sigmoid"),
    "custom function of numpy": (Outside.apply, "OutsideBackward"),
    "kernel from the input": (
        lambda x: functional.conv2d(x, x.mean((0, 2, 3)).reshape(4, 1, 1, 1), groups=4),
        "conv2d with a kernel",
    ),
    "batch statistics": (lambda x: functional.batch_norm(x, None, None, training=True), "the batch's own statistics"),
    "dropout at work": (lambda x: functional.dropout(x, 0.5, training=True), "dropout"),
    "dropout by default": (lambda x: functional.dropout(x, 0.5), "dropout"),
    "dropout2d at work": (lambda x: functional.dropout2d(x, 0.5, True), "dropout2d"),
    "places of features written": (written_at_places_of_features, "__setitem__"),
    "written through a view of zeros": (written_through_a_view, "another view"),
    "slice in place": (half_in_place, "another view.*torch.cat"),
    "chunk in place": (chunk_in_place, "another view.*torch.cat"),
    "older view of what is written": (read_through_an_older_view, "another view"),
    "base of a view that is written": (read_through_the_base, "another view"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_rule_is_refused_by_name(name: str) -> None:
    middle, named = REFUSED[name]
    with pytest.raises(UnsupportedOperation, match=named):
        books(middle)


class Erf(nn.Module):
    """An activation that nobody expects."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.erf(x)


def test_an_unknown_operation_that_may_be_an_activation_is_refused_unless_the_encoder_is_named_below_it() -> None:
    network = between(functional.relu)
    network.last.append(Erf())
    with pytest.raises(UnsupportedOperation, match=r"erf.*'activation'"):
        decompose(network, X, TARGET)
    assert decompose(network, X, TARGET, encoder="last.1").shape == (2, 7, 8)


def test_logits_that_no_operation_made_are_refused() -> None:
    class Hidden(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = between(functional.relu)

        def forward(self, x: Tensor) -> Tensor:
            logits: Tensor = Outside.apply(self.network(x))
            return logits

    with pytest.raises(UnsupportedOperation, match="logits"):
        decompose(Hidden(), X, TARGET)


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning", "ignore:.*torch.jit.*:FutureWarning")
def test_a_scripted_part_is_refused() -> None:
    scripted = torch.jit.trace(nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU()).double(), normal(2, 4, 7, 8))
    with pytest.raises(UnsupportedOperation, match="cannot be seen"):
        books(scripted)
