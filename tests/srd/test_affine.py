"""Convolutions tap by tap: norms, gather and scatter, and folded batch norms, each against a loop or torch itself."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from toys import normal, shaken

from srd.affine import GRAM_LIMIT, Affine, batch_norm_affine, safe_ratio, safe_sqrt

AFFINES = {
    "image": Affine(normal(6, 3, 3, 3), None, padding=(1, 1)),
    "wide": Affine(normal(6, 8, 3, 3), None, stride=(2, 1), padding=(1, 2)),
    "grouped, few channels": Affine(normal(6, 4, 3, 2), None, dilation=(1, 2), groups=2),
    "grouped, many channels": Affine(normal(6, 5, 2, 3), None, padding=(1, 1), groups=3),
    "depthwise": Affine(normal(6, 1, 3, 3), None, stride=(2, 2), padding=(1, 1), groups=6),
    "dilated": Affine(normal(4, 6, 3, 3), None, padding=(0, 1), dilation=(2, 3)),
}
every_affine = pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)


def inputs_of(affine: Affine) -> Tensor:
    inputs = normal(2, affine.weight.shape[1] * affine.groups, 9, 8, seed=1)
    inputs[0, :, 2, 3] = 0
    return inputs


def taps_of(affine: Affine) -> Iterator[tuple[int, int, int]]:
    """(tap, row, column) of the kernel."""
    height, width = affine.weight.shape[2:]
    for tap in range(affine.n_taps):
        yield tap, *divmod(tap, width)
    assert height * width == affine.n_taps


def reached(affine: Affine, size: torch.Size, row: int, col: int) -> Iterator[tuple[int, int, int]]:
    """(tap, input row, input column) that the output position (row, col) reads."""
    for tap, a, b in taps_of(affine):
        i = row * affine.stride[0] - affine.padding[0] + a * affine.dilation[0]
        j = col * affine.stride[1] - affine.padding[1] + b * affine.dilation[1]
        if 0 <= i < size[0] and 0 <= j < size[1]:
            yield tap, i, j


def test_both_ways_to_the_norms_are_tried() -> None:
    assert {affine.weight.shape[1] <= GRAM_LIMIT for affine in AFFINES.values()} == {True, False}


@every_affine
def test_tap_norms_are_those_of_the_products(affine: Affine) -> None:
    inputs = inputs_of(affine)
    norms = affine.tap_norms(inputs)
    groups = affine.weight.chunk(affine.groups)
    for tap, a, b in taps_of(affine):
        for i, j in ((0, 0), (2, 3), (4, 7), (8, 1)):
            parts = inputs[:, :, i, j].chunk(affine.groups, 1)
            products = [part @ weight[:, :, a, b].T for weight, part in zip(groups, parts, strict=True)]
            torch.testing.assert_close(norms[:, tap, i, j], torch.cat(products, 1).norm(dim=1), rtol=1e-10, atol=0)


@every_affine
def test_a_lone_tap_is_there_or_not(affine: Affine) -> None:
    inputs = inputs_of(affine)
    lone = Affine(affine.weight[:, :, :1, :1], None, groups=affine.groups)
    expected = inputs.ne(0).any(1, keepdim=True).double()
    assert torch.equal(lone.tap_norms(inputs), expected)
    assert torch.equal(affine.tap_presence(inputs), expected.expand(-1, affine.n_taps, -1, -1))
    assert float(expected[0, 0, 2, 3]) == 0


@every_affine
def test_gather_sums_the_taps_that_a_position_reads(affine: Affine) -> None:
    inputs = inputs_of(affine)
    taps = normal(2, affine.n_taps, *inputs.shape[2:], seed=2)
    gathered = affine.gather(taps)
    convolved = functional.conv2d(
        inputs, affine.weight, None, affine.stride, affine.padding, affine.dilation, affine.groups
    )
    assert gathered.shape == (2, 1, *convolved.shape[2:])
    for row in range(gathered.shape[2]):
        for col in range(gathered.shape[3]):
            expected = sum(taps[:, t, i, j] for t, i, j in reached(affine, inputs.shape[2:], row, col))
            torch.testing.assert_close(gathered[:, 0, row, col], torch.as_tensor(expected))


@every_affine
def test_scatter_is_the_adjoint_of_gather(affine: Affine) -> None:
    size = inputs_of(affine).shape[2:]
    taps = normal(2, affine.n_taps, *size, seed=2)
    gathered = affine.gather(taps)
    outputs = normal(*gathered.shape, seed=3)
    torch.testing.assert_close((gathered * outputs).sum(), (taps * affine.scatter(outputs, size)).sum())


@pytest.mark.parametrize("bias", [True, False])
def test_a_folded_batch_norm_is_the_batch_norm_after_the_convolution(bias: bool) -> None:
    conv = nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2, bias=bias)
    norm = nn.BatchNorm2d(6)
    network = shaken(nn.Sequential(conv, norm)).double()
    scale, shift = batch_norm_affine(norm.running_mean, norm.running_var, norm.weight, norm.bias, norm.eps)  # type: ignore[arg-type]
    folded = Affine(conv.weight, conv.bias, (2, 2), (1, 1), groups=2).followed_by(scale, shift)
    x = normal(2, 4, 7, 6)
    result = functional.conv2d(x, folded.weight, folded.bias, folded.stride, folded.padding, groups=2)
    torch.testing.assert_close(result, network(x))


def test_a_batch_norm_without_weights_is_folded_too() -> None:
    norm = nn.BatchNorm2d(3, affine=False).double().eval()
    norm.running_var = torch.tensor([1.0, 2.0, 3.0]).double()
    norm.running_mean = torch.tensor([1.0, -2.0, 3.0]).double()
    scale, shift = batch_norm_affine(norm.running_mean, norm.running_var, None, None, norm.eps)
    x = normal(2, 3, 4, 5)
    torch.testing.assert_close(x * scale[:, None, None] + shift[:, None, None], norm(x))


@pytest.mark.parametrize(
    ("affine", "pointwise"),
    [
        (Affine(normal(2, 2, 1, 1), None), True),
        (Affine(normal(2, 2, 1, 1), None, dilation=(2, 2)), True),
        (Affine(normal(2, 2, 1, 1), None, stride=(1, 2)), False),
        (Affine(normal(2, 2, 1, 1), None, padding=(1, 0)), False),
        (Affine(normal(2, 2, 1, 2), None), False),
    ],
)
def test_pointwise_is_position_by_position(affine: Affine, pointwise: bool) -> None:
    assert affine.is_pointwise is pointwise


@every_affine
def test_gradients_of_tap_norms_are_true(affine: Affine) -> None:
    inputs = inputs_of(affine)[1:, :, :3, :3].clone().requires_grad_()
    assert torch.autograd.gradcheck(affine.tap_norms, inputs)


def test_square_root_and_ratio_are_safe_at_zero_and_plain_elsewhere() -> None:
    x = torch.tensor([0.0, 4.0]).requires_grad_()
    root = safe_sqrt(x)
    assert root.tolist() == [0, 2]
    assert torch.autograd.grad(root.sum(), x)[0].tolist() == [0, 0.25]
    ratio = safe_ratio(torch.tensor([3.0, 3.0]), x)
    assert ratio.tolist() == [0, 0.75]
    assert torch.autograd.grad(ratio.sum(), x)[0].tolist() == [0, -3 / 16]
