"""Attention rollout: how attention mixes the tokens through all layers, for all classes alike."""

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
    """Return the product over layers of (A + I) / 2, where A is the mean of the attention weights over heads.

    The map is the row of the class token, or the mean of the rows of all tokens that the head reads. It does not depend
    on the class. Maps are non-negative, at most 1, and on the grid of patches.

    Raises
    ------
    UnsupportedOperation
        The network is no vision transformer: tokens are merged, for example, or attend within windows.

    References
    ----------
    Abnar and Zuidema 2020.
    """
    with evaluating(network):
        inputs = leaf(inputs, create_graph=create_graph)
        weights, scores, n_prefix = attention(network, inputs, target)
        (gradient,) = torch.autograd.grad(scores.sum(), weights[-1], retain_graph=create_graph)
        layers = [(each.mean(1) + residual_identity(each)) / 2 for each in weights]
        maps = attention_map(layers, gradient, inputs.shape[2:], n_prefix)
    return maps if create_graph else maps.detach()
