"""Attention in operations that have a rule, for the torch functions that hide these operations."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from srd.errors import UnsupportedOperation
from srd.operations import Function


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Compute torch's function of this name without dropout and grouped queries.

    Raises
    ------
    UnsupportedOperation
        The call asks for dropout or grouped queries.
    """
    if dropout_p or enable_gqa:
        raise UnsupportedOperation("scaled_dot_product_attention with dropout or enable_gqa")
    if is_causal:
        attn_mask = query.new_ones(query.shape[-2], key.shape[-2], dtype=torch.bool).tril()
    return _weights(query, key, attn_mask, scale) @ value


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Compute torch's function of this name for batches (l, n, e).

    Raises
    ------
    UnsupportedOperation
        The call has added or static keys, padding masks, separate projections, no batch, or dropout in training mode.
    """
    added = any(extra is not None for extra in (bias_k, bias_v, static_k, static_v, key_padding_mask))
    if added or add_zero_attn or (training and dropout_p) or query.dim() != 3 or in_proj_weight is None:
        raise UnsupportedOperation(
            "multi_head_attention_forward with added or static keys, padding, dropout, separate projections or no batch"
        )
    projected = _project((query, key, value), in_proj_weight, in_proj_bias)
    q, k, v = (x.unflatten(-1, (num_heads, -1)).transpose(1, 2) for x in projected)
    attention = _weights(q, k, attn_mask, None)
    heads = (attention @ v).transpose(1, 2).flatten(2)
    output = functional.linear(heads, out_proj_weight, out_proj_bias).transpose(0, 1)
    if not need_weights:
        return output, None
    return output, attention.mean(1) if average_attn_weights else attention


COMPOSITES: dict[str, Function] = {
    function.__name__: function for function in (scaled_dot_product_attention, multi_head_attention_forward)
}
"""Replacements by the name of the torch function. Call them where each of their operations is seen."""


def _project(inputs: tuple[Tensor, Tensor, Tensor], weight: Tensor, bias: Tensor | None) -> Sequence[Tensor]:
    """Project (l, n, e) to (n, l, e), with one linear map where all three inputs are the same."""
    query, key, value = (x.transpose(0, 1) for x in inputs)
    if inputs[0] is inputs[1] is inputs[2]:
        return functional.linear(query, weight, bias).chunk(3, -1)
    biases = (None, None, None) if bias is None else bias.chunk(3)
    return [functional.linear(*map_) for map_ in zip((query, key, value), weight.chunk(3), biases, strict=True)]


def _weights(query: Tensor, key: Tensor, mask: Tensor | None, scale: float | None) -> Tensor:
    scores = query @ key.transpose(-2, -1) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
    return scores.softmax(-1)
