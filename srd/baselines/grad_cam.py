"""Grad-CAM: the encoder's last feature maps, weighted by their mean gradients."""

from collections.abc import Mapping

from torch import Tensor, nn

from srd.baselines._features import class_activation_map
from srd.entries import AttributorEntry, DeclaredRule
from srd.interception import NOTHING_DECLARED
from srd.types import Generators, Inputs, Maps, Target
from srd.vectors import by_mean_gradient

ENTRY = AttributorEntry(
    name="grad_cam",
    title="Grad-CAM",
    source="srd.baselines.grad_cam:grad_cam",
    family="class activation",
    signed=False,
    upsampling="bilinear",
    cost="1 forward, 1 backward",
    needs=("encoder", "operations"),
    reference="Selvaraju et al., ICCV 2017",
)


def grad_cam(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    generators: Generators | None = None,
    *,
    encoder: str | None = None,
    operations: Mapping[str, DeclaredRule] = NOTHING_DECLARED,
    create_graph: bool = False,
) -> Maps:
    """Return the ReLU of the encoder's features, weighted by their mean gradients.

    Maps are non-negative, at the encoder's resolution. `encoder` names the layer, as for SRD. By default it is the last
    activation with more than one position.

    References
    ----------
    Selvaraju et al. 2017.
    """
    return class_activation_map(
        network, inputs, target, _combine, encoder=encoder, operations=operations, create_graph=create_graph
    )


def _combine(vectors: Tensor, gradient: Tensor, channels: tuple[int, ...]) -> Tensor:
    return by_mean_gradient(vectors, gradient, channels).clamp(min=0)
