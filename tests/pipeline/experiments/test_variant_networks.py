"""Variants of a network: what they keep of it, and what they refuse."""

import pytest
import torch
from colour_network import build
from torch import Tensor, nn

from attacks.types import Model
from pipeline.experiments.variant_networks import Compiled, make_variant, refuse_hidden_operations
from pipeline.spec.variants import VariantSpec
from srd.baselines.saliency import saliency
from srd.decomposition import decompose
from srd.errors import UnsupportedOperation
from srd.metrics.relative_change import relative_change
from srd.registry import ATTRIBUTORS

INT8 = VariantSpec(quantize="int8-dynamic")


class Residual(nn.Module):
    """A network whose gradient would be that of a part of it, if a layer let none pass."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        mean: Tensor = inputs.mean((2, 3))
        logits: Tensor = mean + self.fc(mean)
        return logits


def model_of(network: nn.Module) -> Model:
    return Model(network, (0.5,), (0.25,)).eval().requires_grad_(False)


def images(n: int = 2) -> Tensor:
    return torch.rand(n, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_a_dtype_is_computed_in_and_float32_is_read_and_answered(dtype: str) -> None:
    model = model_of(build())
    variant = make_variant(model, VariantSpec.model_validate({"dtype": dtype}))
    own = getattr(torch, dtype)
    assert {each.dtype for each in variant.network.parameters()} == {own}
    assert {each.dtype for each in model.network.parameters()} == {torch.float32}
    expected = build().to(own)(model.normalise(images()).to(own)).float()
    assert torch.equal(variant(images()), expected)
    assert dict(variant.network.named_modules()).keys() == dict(model.network.named_modules()).keys()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_srd_explains_a_dtype_but_for_its_rounding(dtype: torch.dtype) -> None:
    model = model_of(build())
    variant = make_variant(model, VariantSpec.model_validate({"dtype": str(dtype).removeprefix("torch.")}))
    target = torch.tensor([0, 1])
    first, second = (decompose(each.network, each.normalise(images()), target) for each in (model, variant))
    eps = max(torch.finfo(dtype).eps, torch.finfo(torch.float32).eps)
    assert 0 < float(relative_change(first, second).max()) < 32 * eps


def test_no_gradient_goes_round_a_layer_of_int8() -> None:
    variant = make_variant(model_of(Residual()), INT8)
    with torch.no_grad():
        assert variant(images()).shape == (2, 3)
    with pytest.raises(UnsupportedOperation, match="no gradient passes through 'fc'"):
        saliency(variant.network, variant.normalise(images()), torch.tensor([0, 1]))


def test_int8_answers_with_what_eight_bits_leave() -> None:
    model = model_of(build())
    with torch.no_grad():
        own, other = model(images()), make_variant(model, INT8)(images())
    assert 0 < float((own - other).abs().max()) < 0.05 * float(own.abs().max())


def test_a_network_without_linear_layers_has_no_int8() -> None:
    with pytest.raises(UnsupportedOperation, match="no linear layer"):
        make_variant(model_of(nn.Sequential(nn.Conv2d(3, 2, 16), nn.Flatten())), INT8)


def test_a_compiler_hides_the_operations_from_methods_that_read_them() -> None:
    hidden = []
    for name, method in ATTRIBUTORS.items():
        try:
            refuse_hidden_operations(VariantSpec(compile=True), method)
        except UnsupportedOperation:
            hidden.append(name)
        refuse_hidden_operations(VariantSpec(dtype="float16"), method)
    assert {"srd", "lrp_z_plus", "grad_cam", "attention_rollout"} <= set(hidden)
    assert not {"saliency", "smooth_grad", "integrated_gradients", "rise", "random", "edges"} & set(hidden)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_compiled_network_runs_compiled_also_where_passes_are_eager() -> None:
    from torch._dynamo.utils import counters

    model = model_of(build())
    variant = make_variant(model, VariantSpec(compile=True))
    assert isinstance(variant.network, Compiled)
    counters.clear()
    with torch.no_grad():
        answer = variant(images())
    assert counters["stats"]["unique_graphs"] == 1
    torch.testing.assert_close(answer, model(images()))
    target = torch.tensor([0, 1])
    maps = [saliency(each.network, each.normalise(images()), target) for each in (model, variant)]
    torch.testing.assert_close(*maps)
    assert counters["stats"]["unique_graphs"] == 2
