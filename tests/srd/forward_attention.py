"""The self-attention of torchvision's transformers as explicit formulae.

The weights say how much of the value of token j goes to token i. They are matrices over all pairs of tokens, 0 where
a token does not see the other, and constants to whoever applies them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.maxvit import RelativePositionalMultiHeadAttention


@dataclass(frozen=True)
class Attention:
    """Self-attention over tokens (1, length, width) that stand in some order in a tensor."""

    tokens: Callable[[Tensor], Tensor]
    restored: Callable[[Tensor], Tensor]
    qkv: tuple[Tensor, Tensor | None]
    merge: tuple[Tensor, Tensor | None]
    weights: Tensor
    """(heads, length, length)"""

    def mixed(self, qkv: Tensor) -> Tensor:
        """sum_j weights_ij v_j, head by head: (n, length, 3 width) -> (n, length, width)."""
        v = qkv.unflatten(-1, (3, len(self.weights), -1))[:, :, 2]
        return torch.einsum("hij,njhd->nihd", self.weights, v).flatten(2)

    def __call__(self, x: Any, affine: Callable[..., Any], alike: Callable[..., Any]) -> Any:
        qkv = affine(alike(self.tokens, x), *self.qkv)
        return alike(self.restored, affine(alike(self.mixed, qkv), *self.merge))


def queries_and_keys(tokens: Tensor, qkv: tuple[Tensor, Tensor | None], n_heads: int) -> tuple[Tensor, Tensor]:
    """(heads, length, width of a head) each."""
    q, k, _ = functional.linear(tokens[0], *qkv).unflatten(-1, (3, n_heads, -1)).permute(1, 2, 0, 3)
    return q, k


def multihead_attention(layer: nn.MultiheadAttention, x: Tensor, *_: Any, need_weights: bool) -> Attention:
    """softmax(q k / sqrt(d)) of torch's own layer, batch first."""
    qkv = layer.in_proj_weight, layer.in_proj_bias
    q, k = queries_and_keys(x, qkv, layer.num_heads)
    weights = (q @ k.mT / math.sqrt(q.shape[-1])).softmax(-1)
    return Attention(torch.clone, torch.clone, qkv, (layer.out_proj.weight, layer.out_proj.bias), weights)


def grouped_attention(layer: RelativePositionalMultiHeadAttention, x: Tensor) -> Attention:
    """MaxViT's: tokens (1, groups, tokens of a group, width) attend to those of their own group."""
    qkv = layer.to_qkv.weight, layer.to_qkv.bias
    tokens = x.flatten(1, 2)
    q, k = queries_and_keys(tokens, qkv, layer.n_heads)
    group, place = (torch.arange(tokens.shape[1]) // x.shape[2], torch.arange(tokens.shape[1]) % x.shape[2])
    bias = layer.get_relative_positional_bias()[0][:, place[:, None], place]
    logits = layer.scale_factor * q @ k.mT + bias
    weights = logits.masked_fill(group[:, None] != group, -math.inf).softmax(-1)
    return Attention(
        lambda x: x.flatten(1, 2),
        lambda x: x.unflatten(1, (-1, layer.max_seq_len)),
        qkv,
        (layer.merge.weight, layer.merge.bias),
        weights,
    )


def shifted_window_attention(
    x: Tensor,
    qkv_weight: Tensor,
    proj_weight: Tensor,
    relative_position_bias: Tensor,
    window_size: list[int],
    num_heads: int,
    shift_size: list[int],
    qkv_bias: Tensor,
    proj_bias: Tensor,
    logit_scale: Tensor | None = None,
    **_: Any,
) -> Attention:
    """Swin's, (1, h, w, width) padded to whole windows; of second version where there is a `logit_scale`."""
    (height, width), (tall, wide) = x.shape[1:3], window_size
    size = height + -height % tall, width + -width % wide
    shift = [s if window < n else 0 for s, window, n in zip(shift_size, window_size, size, strict=True)]

    def tokens(x: Tensor) -> Tensor:
        padded = functional.pad(x, (0, 0, 0, size[1] - width, 0, size[0] - height))
        return padded.roll([-s for s in shift], (1, 2)).flatten(1, 2)

    if logit_scale is not None:
        qkv_bias = qkv_bias.clone()
        qkv_bias.unflatten(0, (3, -1))[1] = 0
    q, k = queries_and_keys(tokens(x), (qkv_weight, qkv_bias), num_heads)
    if logit_scale is None:
        logits = q @ k.mT / math.sqrt(q.shape[-1])
    else:
        cosines = functional.normalize(q, dim=-1) @ functional.normalize(k, dim=-1).mT
        logits = cosines * logit_scale.clamp(max=math.log(100)).exp()
    row, column = torch.arange(size[0] * size[1]) // size[1], torch.arange(size[0] * size[1]) % size[1]
    window = row // tall * (size[1] // wide) + column // wide
    place = row % tall * wide + column % wide
    region = 3 * _band(row, size[0], tall, shift[0]) + _band(column, size[1], wide, shift[1])
    logits = logits + relative_position_bias[0][:, place[:, None], place]
    if any(shift):
        logits = logits - 100 * (region[:, None] != region)
    weights = logits.masked_fill(window[:, None] != window, -math.inf).softmax(-1)
    return Attention(
        tokens,
        lambda x: x.unflatten(1, size).roll(shift, (1, 2))[:, :height, :width],
        (qkv_weight, qkv_bias),
        (proj_weight, proj_bias),
        weights,
    )


def _band(index: Tensor, size: int, window: int, shift: int) -> Tensor:
    """0 before the last window, then 1, and 2 where the shift has put what was at the beginning."""
    return (index >= size - window).long() + (index >= size - shift).long()


ATTENTION: dict[str, Callable[..., Attention]] = {
    "MultiheadAttention": multihead_attention,
    "RelativePositionalMultiHeadAttention": grouped_attention,
    "shifted_window_attention": shifted_window_attention,
}
