"""XGrad-CAM: Grad-CAM with weights that conserve the score better."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from srd.baselines._features import class_activation_map
from srd.entries import AttributorEntry, DeclaredRule
from srd.interception import NOTHING_DECLARED
from srd.types import Generators, Inputs, Maps, Target
from srd.vectors import inner, position_axes

ENTRY = AttributorEntry(
    name="xgrad_cam",
    title="XGrad-CAM",
    source="srd.baselines.xgrad_cam:xgrad_cam",
    family="class activation",
    signed=False,
    upsampling="bilinear",
    cost="1 forward, 1 backward",
    needs=("encoder", "operations"),
    reference="Fu et al., BMVC 2020",
)


def xgrad_cam(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    generators: Generators | None = None,
    *,
    encoder: str | None = None,
    operations: Mapping[str, DeclaredRule] = NOTHING_DECLARED,
    create_graph: bool = False,
) -> Maps:
    """Return the ReLU of the encoder's features, weighted by gradients averaged in proportion to the features.

    A channel whose features sum to 0 has no weight. Maps are non-negative, at the encoder's resolution. `encoder` names
    the layer, as for SRD. By default it is the last activation with more than one position.

    References
    ----------
    Fu et al. 2020.
    """
    return class_activation_map(
        network, inputs, target, _combine, encoder=encoder, operations=operations, create_graph=create_graph
    )


def _combine(vectors: Tensor, gradient: Tensor, channels: tuple[int, ...]) -> Tensor:
    positions = position_axes(vectors, channels)
    sums = vectors.sum(positions, keepdim=True)
    weights = (vectors * gradient).sum(positions, keepdim=True) / torch.where(sums == 0, torch.inf, sums)
    return inner(vectors, weights.expand_as(vectors), channels).clamp(min=0)
