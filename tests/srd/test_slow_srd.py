"""The slow definition against torch, against formulas written by hand, and against a backward pass of its own."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from slow_resampling import SpatialTransformer
from slow_srd import (
    BiasRule,
    Concat,
    Contrast,
    Example,
    Fields,
    Map,
    Residual,
    WrittenOut,
    before_last_activation,
    erfs,
    example_networks,
    flattened,
    randomised,
    receptive_fields,
    sharing_ratios,
    slow_srd,
    with_batch_norm,
)
from torch import Tensor, nn

NETWORKS = example_networks()
Convolution = nn.Conv2d | nn.ConvTranspose2d
NAMES = list(NETWORKS)
CONSERVING = [name for name in NAMES if name not in {"dead_vectors", "pooled_and_written"}]
BIAS_RULES: tuple[BiasRule, ...] = ("norm", "ratio", "uniform", "drop")


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def example(name: str, seed: int = 0) -> tuple[Example, Tensor]:
    """A network and an image for it."""
    draw = generator(seed)
    network = NETWORKS[name](draw)
    return network, torch.randn(network.image_shape, generator=draw, dtype=torch.float64)


def random_steps(*steps: nn.Module, seed: int = 0) -> nn.Sequential:
    network = nn.Sequential(*steps)
    randomised(network, generator(seed))
    return network


def random_image(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=generator(seed), dtype=torch.float64)


def spread(fields: Fields, position: tuple[int, int]) -> set[tuple[int, int]]:
    """The pixels with a share in one position."""
    return {(int(i), int(j)) for i, j in np.argwhere(fields[position] != 0)}


# A second way to the same map: a forward pass that is linear in what it decomposes, run backward by autograd.


def detached_convolution(conv: Convolution, norm: nn.BatchNorm2d | None, x: Tensor, rule: BiasRule) -> Tensor:
    """X_j = sum_t W_t x_t + b, and the derivative that its bias has by the rule."""
    bias = bias_of(conv, norm)[:, None, None]
    output = normed(conv(x), norm)
    if rule == "drop":
        return output
    bias_free = output - bias
    shares = projection(bias_free, bias_free) if rule == "ratio" else tap_shares(conv, norm, x, rule)
    return output + bias * (shares - shares.detach())


def normed(x: Tensor, norm: nn.BatchNorm2d | None) -> Tensor:
    result: Tensor = x if norm is None else norm(x)
    return result


def bias_of(conv: Convolution, norm: nn.BatchNorm2d | None) -> Tensor:
    """The constant that the convolution and its batch norm add, seen on a lone zero."""
    bias = torch.zeros(conv.out_channels, dtype=torch.float64) if conv.bias is None else conv.bias
    return normed(bias[None, :, None, None], norm)[0, :, 0, 0]


def projection(x: Tensor, onto: Tensor) -> Tensor:
    """<c, x> / ||c||^2 with c = `onto` held constant; 0 where c = 0."""
    constant = onto.detach()
    square = (constant**2).sum(1, keepdim=True)
    return (constant * x).sum(1, keepdim=True) / torch.where(square == 0, 1, square)


def tap_shares(conv: Convolution, norm: nn.BatchNorm2d | None, x: Tensor, rule: BiasRule) -> Tensor:
    """(1, 1, h, w): sum_t w_t <x_t, x_t> / ||x_t||^2 / sum_t w_t, the first x_t alone not constant."""
    shares = gathered(conv, projection(x, x))
    if rule == "uniform":
        weights = gathered(conv, (x.detach() != 0).any(1, keepdim=True).double())
    else:
        weights = tap_norms(conv, norm, x.detach())
    total = weights.sum(1, keepdim=True)
    return (weights * shares / torch.where(total == 0, 1, total)).sum(1, keepdim=True)


def gathered(conv: Convolution, x: Tensor) -> Tensor:
    """(1, taps, h, w): a one-channel map, read by each tap of the convolution."""
    rows, cols = conv.kernel_size
    one_hot = torch.eye(rows * cols, dtype=torch.float64).reshape(rows * cols, 1, rows, cols)
    if isinstance(conv, nn.ConvTranspose2d):
        return applied(conv, x, one_hot.transpose(0, 1), 1)
    return applied(conv, x, one_hot, 1)


def applied(conv: Convolution, x: Tensor, weight: Tensor, groups: int) -> Tensor:
    """What a convolution of the same geometry makes with another weight and no bias."""
    if isinstance(conv, nn.ConvTranspose2d):
        geometry = conv.stride, conv.padding, conv.output_padding, groups, conv.dilation
        return nn.functional.conv_transpose2d(x, weight, None, *geometry)  # type: ignore[arg-type]
    return nn.functional.conv2d(x, weight, None, conv.stride, conv.padding, conv.dilation, groups)


def tap_norms(conv: Convolution, norm: nn.BatchNorm2d | None, x: Tensor) -> Tensor:
    """(1, taps, h, w): ||W_t x_{i(t)}||, by a convolution with one tap left in it at a time."""
    norms = []
    for a, b in np.ndindex(*conv.kernel_size):
        only = torch.zeros_like(conv.weight)
        only[:, :, a, b] = conv.weight[:, :, a, b]
        product = applied(conv, x, only, conv.groups)
        norms.append((normed(product, norm) - normed(torch.zeros_like(product), norm)).norm(dim=1))
    return torch.stack(norms, dim=1)


def detached_batch_norm(norm: nn.BatchNorm2d, x: Tensor, rule: BiasRule) -> Tensor:
    """A depthwise convolution of one tap, and the batch norm after it."""
    identity = nn.Conv2d(norm.num_features, norm.num_features, 1, groups=norm.num_features, bias=False)
    identity = identity.double().requires_grad_(False)
    nn.init.ones_(identity.weight)
    return detached_convolution(identity, norm, x, rule)


def detached(steps: list[nn.Module], x: Tensor, rule: BiasRule) -> Tensor:
    for step, norm in with_batch_norm(list(flattened(steps))):
        match step:
            case nn.Conv2d() | nn.ConvTranspose2d():
                x = detached_convolution(step, norm, x, rule)
            case nn.BatchNorm2d():
                x = detached_batch_norm(step, x, rule)
            case Residual():
                x = detached([step.branch], x, rule) + detached([step.shortcut], x, rule)
            case Concat():
                x = torch.cat([detached([branch], x, rule) for branch in step.branches], dim=1)
            case SpatialTransformer():
                x = nn.functional.grid_sample(x, step.grid(x).detach(), align_corners=step.align_corners)
            case WrittenOut() | nn.ReLU() | nn.ReLU6() | nn.SiLU() | nn.GELU() | nn.Hardswish():
                x = step(x.detach().clone()) * projection(x, x)
            case _:
                x = step(x)
    return x


def backward_map(encoder: nn.Sequential, image: Tensor, relevance: Map, rule: BiasRule) -> Map:
    """Relevance sent down from the last activation, R_i = <x_i, g_i> at the pixels."""
    x = image[None].clone().requires_grad_()
    last = detached(before_last_activation(encoder), x, rule)
    (gradient,) = torch.autograd.grad((projection(last, last)[0, 0] * torch.from_numpy(relevance)).sum(), x)
    result: Map = (x * gradient)[0].sum(0).detach().numpy()
    return result


# Every example network.


@pytest.mark.parametrize("name", NAMES)
def test_values_are_those_of_torch(name: str) -> None:
    network, image = example(name)
    values = erfs(network.encoder, image).values
    np.testing.assert_allclose(values, network.encoder(image[None])[0].numpy(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", CONSERVING)
@pytest.mark.parametrize("bias", ["norm", "ratio", "uniform"])
def test_parts_sum_to_the_values_and_ratios_to_one(name: str, bias: BiasRule) -> None:
    network, image = example(name)
    output = erfs(network.encoder, image, bias=bias)
    fields = receptive_fields(network.encoder, image, bias=bias)
    np.testing.assert_allclose(output.parts.sum(0), output.values, rtol=0, atol=1e-9 * np.abs(output.parts).max())
    np.testing.assert_allclose(fields.sum((2, 3)), 1, rtol=0, atol=1e-9 * np.abs(fields).max())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bias", BIAS_RULES)
@pytest.mark.parametrize("contrast", ["none", "mean"])
def test_forward_equals_backward(name: str, bias: BiasRule, contrast: Contrast) -> None:
    network, image = example(name)
    result = slow_srd(network.encoder, network.head, image, 1, bias=bias, contrast=contrast)
    expected = backward_map(network.encoder, image, result.relevance, bias)
    np.testing.assert_allclose(result.map, expected, rtol=0, atol=1e-10 * np.abs(expected).max())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(3))
def test_examples_are_what_they_promise(name: str, seed: int) -> None:
    network, image = example(name, seed)
    logits = network.head(network.encoder(image[None]))
    result = slow_srd(network.encoder, network.head, image, 0)
    assert logits.shape == (1, 4)
    assert logits.dtype == torch.float64
    assert np.isfinite(result.map).all()
    assert np.abs(result.map).max() < 1e3 * np.abs(result.relevance).sum()
    assert result.map.shape == network.image_shape[1:]
    assert image.shape[1] != image.shape[2]


def test_relu6_reaches_its_limit_and_leaves_it() -> None:
    network, image = example("inverted_residual")
    values = erfs(network.encoder[:3], image).values
    assert values.min() == 0
    assert values.max() == 6
    assert ((values > 0) & (values < 6)).any()


def test_examples_follow_their_generator() -> None:
    for name in NAMES:
        first, again, other = (example(name, seed)[0].encoder.state_dict() for seed in (0, 0, 1))
        assert all(torch.equal(first[key], again[key]) for key in first)
        assert not all(torch.equal(first[key], other[key]) for key in first)


# Relevance and conservation.


@pytest.mark.parametrize("name", CONSERVING)
def test_nothing_is_lost_while_no_vector_is_dead(name: str) -> None:
    network, image = example(name)
    result = slow_srd(network.encoder, network.head, image, 2)
    assert abs(result.lost) <= 1e-10 * np.abs(result.map).sum()


def test_relevance_is_the_logit_less_the_bias_of_a_linear_head() -> None:
    network, image = example("residual_identity")
    result = slow_srd(network.encoder, network.head, image, 2)
    logit, bias = network.head(network.encoder(image[None]))[0, 2], network.head[2].bias[2]  # type: ignore[index]
    assert result.relevance.sum() == pytest.approx(float(logit - bias), abs=1e-12)


def test_contrast_subtracts_the_mean_before_the_fields() -> None:
    network, image = example("grouped")
    plain = slow_srd(network.encoder, network.head, image, 1)
    contrastive = slow_srd(network.encoder, network.head, image, 1, contrast="mean")
    fields = receptive_fields(network.encoder, image)
    expected = plain.map - plain.relevance.mean() * fields.sum((0, 1))
    np.testing.assert_allclose(contrastive.map, expected, rtol=0, atol=1e-12 * np.abs(fields).max())
    assert abs(contrastive.map.sum()) < 1e-12 * np.abs(fields).sum()


@pytest.mark.parametrize("seed", range(3))
def test_dead_vectors_lose_what_only_they_could_have_carried(seed: int) -> None:
    network, image = example("dead_vectors", seed)
    first = network.encoder[:2](image[None])[0]
    dead = (first == 0).all(0).numpy()
    assert 0 < dead.mean() < 0.9
    second = erfs(network.encoder[:3], image)  # a 1x1 convolution: its bias has one tap
    np.testing.assert_array_equal(sharing_ratios(second)[:, dead], 0)
    np.testing.assert_allclose(sharing_ratios(second)[:, ~dead].sum(0), 1, atol=1e-10)
    result = slow_srd(network.encoder, network.head, image, 0)
    assert np.isfinite(result.map).all()
    assert abs(result.lost) > 1e-6
    assert result.lost == pytest.approx(result.relevance.sum() - result.map.sum())


# Closed forms.


def test_field_of_one_convolution_is_the_projection_of_each_tap() -> None:
    conv = nn.Conv2d(2, 3, 3, bias=False)
    network, image = random_steps(conv, nn.ReLU()), random_image(2, 4, 5)
    fields = receptive_fields(network, image)
    weight, pixels = conv.weight.numpy(), image.numpy()
    for row, col in np.ndindex(2, 3):
        whole = np.einsum("ocab,cab->o", weight, pixels[:, row : row + 3, col : col + 3])
        expected = np.zeros((4, 5))
        for a, b in np.ndindex(3, 3):
            expected[row + a, col + b] = weight[:, :, a, b] @ pixels[:, row + a, col + b] @ whole / (whole @ whole)
        np.testing.assert_allclose(fields[row, col], expected, rtol=0, atol=1e-13)


def test_field_of_two_linear_maps_is_that_of_their_product() -> None:
    first, second = nn.Conv2d(2, 4, 1, bias=False), nn.Conv2d(4, 3, 3, bias=False)
    steps, image = random_steps(first, second), random_image(2, 4, 5)
    product = nn.Conv2d(2, 3, 3, bias=False).double().requires_grad_(False)
    product.weight.copy_(torch.einsum("omab,mi->oiab", second.weight, first.weight[:, :, 0, 0]))
    np.testing.assert_allclose(
        sharing_ratios(erfs(steps, image)), sharing_ratios(erfs([product], image)), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("bias", ["norm", "ratio", "uniform"])
def test_field_of_a_pixelwise_network_is_the_pixel(bias: BiasRule) -> None:
    network, image = example("pixelwise")
    fields = receptive_fields(network.encoder, image, bias=bias)
    height, width = fields.shape[:2]
    identity = np.eye(height * width).reshape(height, width, height, width)
    np.testing.assert_allclose(fields, identity, rtol=0, atol=1e-12)


def two_taps(bias: BiasRule) -> tuple[float, float]:
    """Shares of pixels (3, 0) and (0, 4) under W_1 = W_2 = diag(1, 1), b = (10, 0), so X = (13, 4)."""
    conv = nn.Conv2d(2, 2, (1, 2)).double().requires_grad_(False)
    conv.weight.copy_(torch.eye(2, dtype=torch.float64)[:, :, None, None].expand(2, 2, 1, 2))
    conv.bias.copy_(torch.tensor([10.0, 0.0]))  # type: ignore[union-attr]
    image = torch.tensor([[[3.0, 0.0]], [[0.0, 4.0]]], dtype=torch.float64)
    left, right = receptive_fields(nn.Sequential(conv, nn.ReLU()), image, bias=bias)[0, 0, 0]
    return float(left), float(right)


def test_bias_rules_by_hand() -> None:
    square = 13**2 + 4**2
    assert two_taps("drop") == pytest.approx((39 / square, 16 / square))
    assert two_taps("norm") == pytest.approx(((39 + 130 * 3 / 7) / square, (16 + 130 * 4 / 7) / square))
    assert two_taps("ratio") == pytest.approx(((39 + 130 * 9 / 25) / square, (16 + 130 * 16 / 25) / square))
    assert two_taps("uniform") == pytest.approx(((39 + 65) / square, (16 + 65) / square))


def test_uniform_leaves_out_zero_vectors_and_padding() -> None:
    conv = nn.Conv2d(1, 1, 3, padding=1).double().requires_grad_(False)
    nn.init.zeros_(conv.weight)
    nn.init.ones_(conv.bias)  # type: ignore[arg-type]
    image = torch.tensor([[[1.0, 0.0], [2.0, 3.0]]], dtype=torch.float64)
    fields = receptive_fields(nn.Sequential(conv, nn.ReLU()), image, bias="uniform")
    np.testing.assert_allclose(fields[0, 0], [[1 / 3, 0], [1 / 3, 1 / 3]])
    np.testing.assert_array_equal(receptive_fields(nn.Sequential(conv, nn.ReLU()), image), 0)


def test_norm_shares_of_a_grouped_convolution_are_of_the_whole_vector() -> None:
    conv = nn.Conv2d(2, 2, (1, 2), groups=2).double().requires_grad_(False)
    nn.init.ones_(conv.weight)
    nn.init.constant_(conv.bias, 2)  # type: ignore[arg-type]
    image = torch.tensor([[[3.0, 1.0]], [[4.0, 0.0]]], dtype=torch.float64)
    fields = receptive_fields(nn.Sequential(conv, nn.ReLU()), image)
    left = np.array([3, 4]) + np.array([2, 2]) * 5 / 6
    whole = np.array([6, 6])
    np.testing.assert_allclose(fields[0, 0, 0, 0], left @ whole / (whole @ whole))


def test_bias_goes_by_the_fractions_of_what_the_tap_reads() -> None:
    inner, outer = nn.Conv2d(2, 3, (1, 2), bias=False), nn.Conv2d(3, 3, 1)
    steps, image = random_steps(inner, nn.ReLU(), outer), random_image(2, 1, 2)
    before = erfs(steps[:2], image)
    expected = np.einsum("oc,pc->po", outer.weight.numpy()[:, :, 0, 0], before.parts[:, :, 0, 0])
    expected += np.outer(sharing_ratios(erfs(steps[:1], image))[:, 0, 0], outer.bias.numpy())  # type: ignore[union-attr]
    np.testing.assert_allclose(erfs(steps, image).parts[:, :, 0, 0], expected, rtol=0, atol=1e-13)


def test_batch_norm_without_a_convolution_keeps_its_bias_where_it_stands() -> None:
    norm = nn.BatchNorm2d(3)
    steps, image = random_steps(norm), random_image(3, 2, 3)
    output = erfs(steps, image)
    for pixel, (row, col) in enumerate(np.ndindex(2, 3)):
        np.testing.assert_allclose(output.parts[pixel, :, row, col], output.values[:, row, col], rtol=0, atol=1e-13)


def test_folding_asks_for_direct_succession() -> None:
    conv, norm = nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3)
    steps, image = random_steps(conv, norm), random_image(2, 3, 4)
    between = [conv, nn.AvgPool2d(1), norm]
    direct, nested = erfs(steps, image), erfs([nn.Sequential(conv), nn.Identity(), norm], image)
    apart = erfs(between, image)
    np.testing.assert_array_equal(direct.parts, nested.parts)
    np.testing.assert_allclose(direct.values, apart.values, rtol=0, atol=1e-13)
    assert np.abs(direct.parts - apart.parts).max() > 1e-3


def test_ratios_may_be_negative() -> None:
    network, image = example("reused_activation")
    fields = receptive_fields(network.encoder, image)
    assert fields.min() < -1e-3
    np.testing.assert_allclose(fields.sum((2, 3)), 1, rtol=0, atol=1e-10)


def test_activation_hides_no_inactive_neuron_from_the_ratio() -> None:
    conv = nn.Conv2d(2, 4, (1, 2), bias=False)
    network, image = random_steps(conv, nn.ReLU()), random_image(2, 1, 2)
    hidden = conv(image[None])[0, :, 0, 0].numpy()
    assert (hidden < 0).any()
    parts = erfs(network, image).parts[:, :, 0, 0]
    left = conv.weight.numpy()[:, :, 0, 0] @ image.numpy()[:, 0, 0]
    np.testing.assert_allclose(parts[0], left @ hidden / (hidden @ hidden) * np.maximum(hidden, 0), atol=1e-13)


# Geometry: which pixels an output position can see.


@pytest.mark.parametrize(
    ("step", "position", "rows", "cols"),
    [
        (nn.Conv2d(2, 2, 3, stride=2, padding=1), (1, 2), (1, 2, 3), (3, 4, 5)),
        (nn.Conv2d(2, 2, 3, stride=2, padding=1), (0, 0), (0, 1), (0, 1)),
        (nn.Conv2d(2, 2, (2, 3), dilation=(3, 2)), (1, 1), (1, 4), (1, 3, 5)),
        (nn.Conv2d(2, 2, 3, padding=1, groups=2), (2, 2), (1, 2, 3), (1, 2, 3)),
        (nn.Conv2d(2, 4, 3, padding=2, groups=2), (0, 0), (0,), (0,)),
        (nn.AvgPool2d(3, stride=2, padding=1), (1, 0), (1, 2, 3), (0, 1)),
        (nn.ZeroPad2d((2, 0, 1, 0)), (3, 4), (2,), (2,)),
    ],
)
def test_reach(step: nn.Module, position: tuple[int, int], rows: tuple[int, ...], cols: tuple[int, ...]) -> None:
    network = random_steps(step, nn.ReLU())
    fields = receptive_fields(network, random_image(2, 5, 6))
    assert spread(fields, position) == {(row, col) for row in rows for col in cols}


def test_overlapping_max_pool_routes_each_channel_to_its_largest_pixel() -> None:
    image = random_image(3, 5, 6)
    output = erfs([nn.MaxPool2d(3, stride=2, padding=1)], image)
    for channel, row, col in np.ndindex(*output.values.shape):
        top, left = max(2 * row - 1, 0), max(2 * col - 1, 0)
        window = image.numpy()[channel, top : 2 * row + 2, left : 2 * col + 2]
        i, j = np.argwhere(window == window.max())[0]
        expected = np.zeros((5, 6))
        expected[top + i, left + j] = window.max()
        np.testing.assert_array_equal(output.parts[:, channel, row, col].reshape(5, 6), expected)


def test_residual_and_concat_apply_to_parts_as_to_values() -> None:
    conv = nn.Conv2d(3, 3, 3, padding=1)
    randomised(conv, generator(0))
    image = random_image(3, 4, 5)
    alone, same = erfs([conv], image), erfs([nn.Identity()], image)
    both, joined = erfs([Residual(conv, nn.Identity())], image), erfs([Concat(conv, nn.Identity())], image)
    np.testing.assert_allclose(both.parts, alone.parts + same.parts, rtol=0, atol=1e-13)
    np.testing.assert_array_equal(joined.parts, np.concatenate([alone.parts, same.parts], axis=1))


def test_black_pixels_carry_nothing() -> None:
    network, image = example("overlapping_max_pool")
    image[:, 2:5, 3:6] = 0
    result = slow_srd(network.encoder, network.head, image, 0)
    np.testing.assert_array_equal(result.map[2:5, 3:6], 0)
    assert np.isfinite(result.map).all()


# Refusals.


@pytest.mark.parametrize(
    "step",
    [
        nn.LayerNorm(3),
        nn.Softmax(dim=1),
        nn.Conv2d(2, 2, 3, padding="same"),
        nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect"),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.AvgPool2d(2, ceil_mode=True),
        nn.BatchNorm2d(2).train(),
        nn.GELU(approximate="tanh"),
    ],
    ids=lambda step: type(step).__name__,
)
def test_what_has_no_rule_is_refused(step: nn.Module) -> None:
    with pytest.raises((TypeError, ValueError), match=type(step).__name__):
        erfs([step], random_image(2, 5, 6))


@pytest.mark.parametrize("call", [receptive_fields, lambda encoder, image: slow_srd(encoder, nn.Flatten(), image, 0)])
def test_encoder_must_end_with_an_activation(call: Callable[[nn.Sequential, Tensor], object]) -> None:
    with pytest.raises(ValueError, match="must end with an activation"):
        call(random_steps(nn.ReLU(), nn.Conv2d(2, 2, 1)), random_image(2, 3, 4))
