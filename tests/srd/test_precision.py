"""Products in fewer bits: what is rounded, what is not, and how far the map moves."""

import platform
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from toys import classes, demo_inputs, demo_network, left_as_found, normal, relative_error, small, tiny_transformer

from srd import precision as module_of_precision
from srd.affine import Affine
from srd.decomposition import decompose
from srd.precision import PRODUCTS, Precision, in_type, multiplies_in_bfloat16, products_of

REDUCED: tuple[Precision, ...] = ("mixed", "bfloat16", "float16")
X, TARGET = normal(2, 3, 7, 8, dtype=torch.float32), classes(2)
every_reduced = pytest.mark.parametrize("precision", REDUCED)
CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(autouse=True)
def bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tested here is what is rounded, not how fast: on every processor."""
    monkeypatch.setattr(module_of_precision, "multiplies_in_bfloat16", lambda device: True)


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


def test_mixed_is_full_on_a_device_without_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    network = small().float()
    full = decompose(network, X, TARGET)
    assert not torch.equal(decompose(network, X, TARGET, precision="mixed"), full)
    monkeypatch.setattr(module_of_precision, "multiplies_in_bfloat16", lambda device: False)
    assert torch.equal(decompose(network, X, TARGET, precision="mixed"), full)


@pytest.mark.parametrize("precision", ["full", "bfloat16", "float16"])
def test_a_rounding_of_the_network_is_made_on_every_device(
    monkeypatch: pytest.MonkeyPatch, precision: Precision
) -> None:
    monkeypatch.setattr(module_of_precision, "multiplies_in_bfloat16", lambda device: False)
    assert products_of(precision, CPU) == PRODUCTS[precision]


@pytest.mark.parametrize(("avx512", "amx"), [(False, False), (True, False), (False, True)])
def test_a_processor_of_this_kind_has_instructions_of_avx512_or_amx(
    monkeypatch: pytest.MonkeyPatch, avx512: bool, amx: bool
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert multiplies_in_bfloat16(CPU) is (avx512 or amx)


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("library", [False, True])
def test_another_processor_is_asked_through_onednn(monkeypatch: pytest.MonkeyPatch, there: bool, library: bool) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: library)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: there, raising=False)
    assert multiplies_in_bfloat16(CPU) is (there and library)


@pytest.mark.parametrize("there", [False, True])
def test_a_card_that_only_emulates_bfloat16_does_not_multiply_in_it(
    monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: there or including_emulation)
    assert multiplies_in_bfloat16(CUDA) is there
