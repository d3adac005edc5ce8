"""Products in fewer bits: what is rounded, what is not, and how far the map moves."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from toys import classes, demo_inputs, demo_network, left_as_found, normal, relative_error, small, tiny_transformer

from srd.affine import Affine
from srd.decomposition import decompose
from srd.precision import PRODUCTS, Precision, in_type

REDUCED: tuple[Precision, ...] = ("mixed", "bfloat16", "float16")
X, TARGET = normal(2, 3, 7, 8, dtype=torch.float32), classes(2)
every_reduced = pytest.mark.parametrize("precision", REDUCED)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_product_in_another_type_rounds_its_operands_and_its_result(dtype: torch.dtype) -> None:
    a, b = normal(3, 4), normal(4, 5, seed=1)
    exact = a.to(dtype).double() @ b.to(dtype).double()
    result = in_type(torch.matmul, dtype)(a, b)
    assert result.dtype == a.dtype
    torch.testing.assert_close(result, exact, rtol=2 * torch.finfo(dtype).eps, atol=1e-5)
    assert not torch.equal(result, a @ b)


def test_tap_norms_in_bfloat16_are_those_of_rounded_factors() -> None:
    affine, inputs = (
        Affine(normal(24, 20, 3, 3, dtype=torch.float32), None, padding=(1, 1)),
        normal(2, 20, 9, 8).float(),
    )
    with torch.no_grad():
        full, reduced = affine.tap_norms(inputs), affine.tap_norms(inputs, torch.bfloat16)
    assert 0 < relative_error(reduced, full) <= 2**-7


@every_reduced
@pytest.mark.parametrize(("network", "limit"), [(small, 0.02), (tiny_transformer, 0.06)])
def test_the_map_moves_by_little_but_moves(
    network: Callable[[], nn.Module], limit: float, precision: Precision
) -> None:
    """That of the transformer in float16 by 0.045; by 0.053 where a processor computes in float16 (AVX512-FP16)."""
    explained = network().float()
    inputs = X if network is small else normal(2, 3, 8, 8, dtype=torch.float32)
    full = decompose(explained, inputs, TARGET)
    assert 0 < relative_error(decompose(explained, inputs, TARGET, precision=precision), full) <= limit


@every_reduced
@pytest.mark.parametrize("name", ["vgg", "resnet"])
def test_maps_of_trained_networks_move_by_little(name: str, precision: Precision) -> None:
    network, (inputs, target) = demo_network(name).float(), demo_inputs(8)
    full = decompose(network, inputs.float(), target)
    reduced = decompose(network, inputs.float(), target, precision=precision)
    limit = {"mixed": 0.01, "bfloat16": 0.1, "float16": 0.02}[precision]
    assert relative_error(reduced, full) <= limit


@every_reduced
@pytest.mark.parametrize("power", [-60, 60])
def test_relevance_neither_vanishes_nor_overflows(precision: Precision, power: int) -> None:
    class Scaled(nn.Module):
        def __init__(self, network: nn.Module) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: Tensor) -> Tensor:
            return self.network(x) * 2.0**power  # type: ignore[no-any-return]

    network = small().float()
    expected = decompose(network, X, TARGET, precision=precision) * 2.0**power
    assert torch.equal(decompose(Scaled(network), X, TARGET, precision=precision), expected)


def test_mixed_leaves_the_network_itself_alone() -> None:
    network, logits = small().float(), []
    network.head.register_forward_hook(lambda *call: logits.append(call[-1]))
    for precision in ("full", *REDUCED):
        decompose(network, X, TARGET, precision=precision)
    full, mixed, *others = logits
    assert torch.equal(mixed, full)
    assert not any(torch.equal(other, full) for other in others)


@every_reduced
def test_the_network_is_left_as_found(precision: Precision) -> None:
    network = small().float()
    with left_as_found(network, X):
        maps = decompose(network, X, TARGET, precision=precision)
    assert maps.dtype == X.dtype


@every_reduced
def test_maps_can_be_differentiated(precision: Precision) -> None:
    x = X.clone().requires_grad_()
    network = small().float()
    gradient, full = (
        torch.autograd.grad(decompose(network, x, TARGET, precision=each, create_graph=True).square().sum(), x)[0]
        for each in (precision, "full")
    )
    assert float(functional.cosine_similarity(gradient.flatten(), full.flatten(), 0)) >= 0.99


def test_full_is_nothing_rounded() -> None:
    assert PRODUCTS["full"] == (None, None)
    assert in_type(torch.matmul, None) is torch.matmul
