"""Grad-CAM++: Grad-CAM that counts every occurrence of an object."""

from collections.abc import Mapping

from torch import Tensor, nn

from srd.baselines._features import class_activation_map
from srd.entries import AttributorEntry, DeclaredRule
from srd.interception import NOTHING_DECLARED
from srd.types import Generators, Inputs, Maps, Target
from srd.vectors import inner, position_axes

ENTRY = AttributorEntry(
    name="grad_cam_plus_plus",
    title="Grad-CAM++",
    source="srd.baselines.grad_cam_plus_plus:grad_cam_plus_plus",
    family="class activation",
    signed=False,
    upsampling="bilinear",
    cost="1 forward, 1 backward",
    needs=("encoder", "operations"),
    reference="Chattopadhay et al., WACV 2018",
)


def grad_cam_plus_plus(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    generators: Generators | None = None,
    *,
    encoder: str | None = None,
    operations: Mapping[str, DeclaredRule] = NOTHING_DECLARED,
    create_graph: bool = False,
) -> Maps:
    """Return the ReLU of the encoder's features, weighted by sums of positive gradients.

    Each gradient g has a weight by eq. 19 with exp(logit) as the score: g^2 / (2 g^2 + sum(A) g^3) = 1 / (2 + sum(A)
    g). Maps are non-negative, at the encoder's resolution. `encoder` names the layer, as for SRD. By default it is the
    last activation with more than one position.

    References
    ----------
    Chattopadhay et al. 2018.
    """
    return class_activation_map(
        network, inputs, target, _combine, encoder=encoder, operations=operations, create_graph=create_graph
    )


def _combine(vectors: Tensor, gradient: Tensor, channels: tuple[int, ...]) -> Tensor:
    positions = position_axes(vectors, channels)
    sums = vectors.sum(positions, keepdim=True)
    weights = (gradient.clamp(min=0) / (2 + sums * gradient)).sum(positions, keepdim=True)
    return inner(vectors, weights.expand_as(vectors), channels).clamp(min=0)
