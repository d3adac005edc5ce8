"""Layer-CAM: the encoder's last features, each weighted by its own gradient where that is positive."""

from collections.abc import Mapping

from torch import Tensor, nn

from srd.baselines._features import class_activation_map
from srd.entries import AttributorEntry, DeclaredRule
from srd.interception import NOTHING_DECLARED
from srd.types import Generators, Inputs, Maps, Target
from srd.vectors import inner

ENTRY = AttributorEntry(
    name="layer_cam",
    title="Layer-CAM",
    source="srd.baselines.layer_cam:layer_cam",
    family="class activation",
    signed=False,
    upsampling="bilinear",
    cost="1 forward, 1 backward",
    needs=("encoder", "operations"),
    reference="Jiang et al., IEEE TIP 2021",
)


def layer_cam(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    generators: Generators | None = None,
    *,
    encoder: str | None = None,
    operations: Mapping[str, DeclaredRule] = NOTHING_DECLARED,
    create_graph: bool = False,
) -> Maps:
    """Return the ReLU of the encoder's features, weighted by the positive part of their own gradients.

    Maps are non-negative, at the encoder's resolution. `encoder` names the layer, as for SRD. By default it is the last
    activation with more than one position.

    References
    ----------
    Jiang et al. 2021, eq. 5.
    """
    return class_activation_map(
        network, inputs, target, _combine, encoder=encoder, operations=operations, create_graph=create_graph
    )


def _combine(vectors: Tensor, gradient: Tensor, channels: tuple[int, ...]) -> Tensor:
    return inner(vectors, gradient.clamp(min=0), channels).clamp(min=0)
