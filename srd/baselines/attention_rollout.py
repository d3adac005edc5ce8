"""Attention rollout: how attention mixes the tokens on their way through all layers, whatever the class."""

import torch
from torch import nn

from srd.baselines._attention import attention, attention_map, residual_identity
from srd.entries import AttributorEntry
from srd.passes import evaluating, leaf
from srd.types import Generators, Inputs, Maps, Target

ENTRY = AttributorEntry(
    name="attention_rollout",
    title="Attention rollout",
    source="srd.baselines.attention_rollout:attention_rollout",
    family="attention",
    signed=False,
    upsampling="bilinear",
    uses_target=False,
    networks="transformers",
    cost="1 forward",
    reference="Abnar, Zuidema, ACL 2020",
)


def attention_rollout(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    generators: Generators | None = None,
    *,
    create_graph: bool = False,
) -> Maps:
    """Product over layers of (A + I) / 2, A the mean over heads of the attention weights (Abnar and Zuidema 2020).

    Of it the row of the class token, or, where the head reads several tokens, the mean of their rows. Does not depend
    on the class. Non-negative, at most 1, on the grid of patches. Raises UnsupportedOperation
    for networks other than vision transformers, as where tokens are merged or attend within windows.
    """
    with evaluating(network):
        inputs = leaf(inputs, create_graph=create_graph)
        weights, scores = attention(network, inputs, target)
        (gradient,) = torch.autograd.grad(scores.sum(), weights[-1], retain_graph=create_graph)
        layers = [(each.mean(1) + residual_identity(each)) / 2 for each in weights]
        maps = attention_map(layers, gradient, inputs.shape[2:])
    return maps if create_graph else maps.detach()
