"""Convolutions tap by tap: norms and shares at every position, and folded batch norms, against loops or torch."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from toys import normal, shaken

from srd.affine import Affine, batch_norm_affine, safe_sqrt
from srd.taps import GRAM_LIMIT

AFFINES = {
    "image": Affine(normal(6, 3, 3, 3), None, padding=(1, 1)),
    "wide": Affine(normal(24, 18, 3, 3), None, stride=(2, 1), padding=(1, 2)),
    "narrowing": Affine(normal(6, 12, 3, 3), None, padding=(1, 1)),
    "grouped, few channels": Affine(normal(6, 4, 3, 2), None, dilation=(1, 2), groups=2),
    "grouped, many channels": Affine(normal(30, 10, 2, 3), None, padding=(1, 1), groups=3),
    "depthwise": Affine(normal(6, 1, 3, 3), None, stride=(2, 2), padding=(1, 1), groups=6),
    "dilated and strided": Affine(normal(4, 9, 3, 3), None, stride=(2, 3), padding=(0, 1), dilation=(2, 3)),
    "one tap, strided": Affine(normal(4, 6, 1, 1), None, stride=(2, 2)),
    "scaled": Affine(normal(12, 10, 3, 3), None, padding=(1, 1)).followed_by(normal(12, seed=4), normal(12, seed=5)),
}
every_affine = pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)


def inputs_of(affine: Affine) -> Tensor:
    inputs = normal(2, affine.weight.shape[1] * affine.groups, 9, 8, seed=1)
    inputs[0, :, 2, 3] = 0
    return inputs


def output_size(affine: Affine) -> tuple[int, int]:
    height, width = functional.conv2d(
        inputs_of(affine), affine.weight, None, affine.stride, affine.padding, affine.dilation, affine.groups
    ).shape[2:]
    return height, width


def reads(affine: Affine) -> Iterator[tuple[int, int, int, int, int, int, int]]:
    """(tap, kernel row, kernel column, output row, output column, input row, input column), within the inputs."""
    height, width = affine.weight.shape[2:]
    for tap in range(affine.n_taps):
        a, b = divmod(tap, width)
        for row in range(output_size(affine)[0]):
            for col in range(output_size(affine)[1]):
                i = row * affine.stride[0] - affine.padding[0] + a * affine.dilation[0]
                j = col * affine.stride[1] - affine.padding[1] + b * affine.dilation[1]
                if 0 <= i < 9 and 0 <= j < 8:
                    yield tap, a, b, row, col, i, j
    assert height * width == affine.n_taps


def expected_norms(affine: Affine, inputs: Tensor) -> Tensor:
    norms = torch.zeros(2, affine.n_taps, *output_size(affine), dtype=torch.float64)
    weight = affine.weight if affine.scale is None else affine.weight * affine.scale[:, None, None, None]
    for tap, a, b, row, col, i, j in reads(affine):
        parts = zip(weight[:, :, a, b].chunk(affine.groups), inputs[:, :, i, j].chunk(affine.groups, 1), strict=True)
        norms[:, tap, row, col] = torch.cat([part @ matrix.T for matrix, part in parts], 1).norm(dim=1)
    return norms


def test_both_ways_to_the_norms_are_tried() -> None:
    assert {affine.weight.shape[1] <= GRAM_LIMIT for affine in AFFINES.values()} == {True, False}


@every_affine
@pytest.mark.parametrize("graph", [True, False])
def test_tap_norms_are_those_of_the_products(affine: Affine, graph: bool) -> None:
    inputs = inputs_of(affine)
    expected = expected_norms(affine, inputs)
    with torch.set_grad_enabled(graph):
        norms = affine.tap_norms(inputs)
    if affine.n_taps == 1:
        expected = expected.ne(0).double()
    torch.testing.assert_close(norms, expected, rtol=1e-9, atol=1e-12)


@every_affine
def test_a_tap_is_present_where_it_reads_a_vector_that_is_not_zero(affine: Affine) -> None:
    inputs = inputs_of(affine)
    assert torch.equal(affine.tap_presence(inputs), expected_norms(affine, inputs).ne(0).double())


@every_affine
def test_scatter_sums_what_the_readers_of_a_position_have(affine: Affine) -> None:
    shares = normal(2, affine.n_taps, *output_size(affine), seed=2)
    expected = torch.zeros(2, 1, 9, 8, dtype=torch.float64)
    for tap, _, _, row, col, i, j in reads(affine):
        expected[:, 0, i, j] += shares[:, tap, row, col]
    torch.testing.assert_close(affine.scatter(shares, torch.Size((9, 8))), expected)


@pytest.mark.parametrize("bias", [True, False])
def test_a_folded_batch_norm_is_the_batch_norm_after_the_convolution(bias: bool) -> None:
    conv = nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2, bias=bias)
    norm = nn.BatchNorm2d(6)
    network = shaken(nn.Sequential(conv, norm)).double()
    scale, shift = batch_norm_affine(norm.running_mean, norm.running_var, norm.weight, norm.bias, norm.eps)  # type: ignore[arg-type]
    folded = Affine(conv.weight, conv.bias, (2, 2), (1, 1), groups=2).followed_by(scale, shift)
    x = normal(2, 4, 7, 6)
    assert folded.scale is not None
    assert folded.bias is not None
    plain = functional.conv2d(x, folded.weight, None, folded.stride, folded.padding, groups=2)
    result = plain * folded.scale[:, None, None] + folded.bias[:, None, None]
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


@pytest.mark.parametrize("name", sorted(AFFINES.keys() - {"one tap, strided"}))  # which has no norm to differentiate
def test_gradients_of_tap_norms_are_true(name: str) -> None:
    affine = AFFINES[name]
    inputs = inputs_of(affine)[1:].clone().requires_grad_()
    assert torch.autograd.gradcheck(affine.tap_norms, inputs, fast_mode=True)


def test_a_square_root_is_safe_at_zero_and_plain_elsewhere() -> None:
    x = torch.tensor([0.0, 4.0]).requires_grad_()
    root = safe_sqrt(x)
    assert root.tolist() == [0, 2]
    assert torch.autograd.grad(root.sum(), x)[0].tolist() == [0, 0.25]
