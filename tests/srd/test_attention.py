"""Attention written out is torch's, and takes no relevance for its weights."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional
from toys import normal, relative_error

from srd import attention
from srd.errors import UnsupportedOperation

Q, K, V = (normal(2, 3, 5, 4, seed=seed) for seed in range(3))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"scale": 0.3},
        {"is_causal": True},
        {"attn_mask": normal(5, 5)},
        {"attn_mask": torch.eye(5, dtype=torch.bool)},
    ],
)
def test_scaled_dot_product_attention_is_torchs(options: dict[str, Any]) -> None:
    expected = functional.scaled_dot_product_attention(Q, K, V, **options)
    result = attention.scaled_dot_product_attention(Q, K, V, **options)
    assert relative_error(result, expected) <= 1e-12


@pytest.mark.parametrize("options", [{"dropout_p": 0.1}, {"enable_gqa": True}])
def test_attention_with_dropout_or_groups_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedOperation, match="dropout or enable_gqa"):
        attention.scaled_dot_product_attention(Q, K, V, **options)


def arguments(module: nn.MultiheadAttention) -> dict[str, Any]:
    names = ("num_heads", "in_proj_weight", "in_proj_bias", "bias_k", "bias_v", "add_zero_attn")
    facts: dict[str, Any] = {name: getattr(module, name) for name in names}
    projection = {"out_proj_weight": module.out_proj.weight, "out_proj_bias": module.out_proj.bias}
    return facts | projection | {"embed_dim_to_check": module.embed_dim, "dropout_p": 0.0}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("average", [True, False])
def test_multi_head_attention_is_torchs(bias: bool, average: bool) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = nn.MultiheadAttention(6, 3, bias=bias).double().eval()
    q, k, v = (normal(5, 2, 6, seed=seed) for seed in range(3))
    options: dict[str, Any] = {"attn_mask": normal(5, 5, seed=3), "average_attn_weights": average}
    expected = functional.multi_head_attention_forward(q, k, v, **arguments(module), **options)
    result = attention.multi_head_attention_forward(q, k, v, **arguments(module), **options)
    for ours, torchs in zip(result, expected, strict=True):
        assert ours is not None
        assert torchs is not None
        assert relative_error(ours.detach(), torchs.detach()) <= 1e-12
    assert attention.multi_head_attention_forward(q, k, v, **arguments(module), need_weights=False)[1] is None


@pytest.mark.parametrize("options", [{"add_bias_kv": True}, {"add_zero_attn": True}, {"kdim": 4, "vdim": 4}])
def test_multi_head_attention_with_extras_is_refused(options: dict[str, int]) -> None:
    module = nn.MultiheadAttention(6, 3, **options).double().eval()
    x = normal(5, 2, 6)
    with pytest.raises(UnsupportedOperation, match="multi_head_attention_forward with"):
        attention.multi_head_attention_forward(x, x, x, **arguments(module))
