"""Generic attention relevance: rollout of attention weights that are weighted by their positive gradients."""

import torch
from torch import nn

from srd.baselines._attention import attention, attention_map, residual_identity
from srd.entries import AttributorEntry
from srd.passes import evaluating, leaf
from srd.types import Generators, Inputs, Maps, Target

ENTRY = AttributorEntry(
    name="generic_attention",
    title="Generic attention (Chefer)",
    source="srd.baselines.generic_attention:generic_attention",
    family="attention",
    signed=False,
    upsampling="bilinear",
    networks="transformers",
    cost="1 forward, 1 backward",
    reference="Chefer, Gur, Wolf, ICCV 2021",
)


def generic_attention(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    generators: Generators | None = None,
    *,
    create_graph: bool = False,
) -> Maps:
    """Return the rollout R of attention weights A that are weighted by their positive gradients.

    R is the identity at first, and R + Abar R after every layer, with Abar = mean over heads of (grad A * A)+.
    Gradients are the ordinary ones of the target's logit. The map is the row of the class token, or the mean of the
    rows of all tokens that the head reads. Maps are non-negative, on the grid of patches.

    Raises
    ------
    UnsupportedOperation
        The network is no vision transformer: tokens are merged, for example, or attend within windows.

    References
    ----------
    Chefer et al. 2021, eq. 5 and 6.
    """
    with evaluating(network):
        inputs = leaf(inputs, create_graph=create_graph)
        weights, scores, n_prefix = attention(network, inputs, target)
        gradients = torch.autograd.grad(scores.sum(), weights, create_graph=create_graph)
        pairs = zip(weights, gradients, strict=True)
        layers = [residual_identity(each) + (gradient * each).clamp(min=0).mean(1) for each, gradient in pairs]
        maps = attention_map(layers, gradients[-1], inputs.shape[2:], n_prefix)
    return maps if create_graph else maps.detach()
