"""HiResCAM: the encoder's last features, each weighted by its own gradient."""

from collections.abc import Mapping

from torch import Tensor, nn

from srd.baselines._features import class_activation_map
from srd.entries import AttributorEntry, DeclaredRule
from srd.interception import NOTHING_DECLARED
from srd.types import Generators, Inputs, Maps, Target
from srd.vectors import inner

ENTRY = AttributorEntry(
    name="hires_cam",
    title="HiResCAM",
    source="srd.baselines.hires_cam:hires_cam",
    family="class activation",
    signed=True,
    upsampling="bilinear",
    cost="1 forward, 1 backward",
    needs=("encoder", "operations"),
    reference="Draelos, Carin, 2020",
)


def hires_cam(
    network: nn.Module,
    inputs: Inputs,
    target: Target,
    generators: Generators | None = None,
    *,
    encoder: str | None = None,
    operations: Mapping[str, DeclaredRule] = NOTHING_DECLARED,
    create_graph: bool = False,
) -> Maps:
    """Return each feature of the encoder times its own gradient, summed over channels.

    Maps are signed, at the encoder's resolution. `encoder` names the layer, as for SRD. By default it is the last
    activation with more than one position.

    References
    ----------
    Draelos, Carin 2020, eq. 5.
    """
    return class_activation_map(
        network, inputs, target, _combine, encoder=encoder, operations=operations, create_graph=create_graph
    )


def _combine(vectors: Tensor, gradient: Tensor, channels: tuple[int, ...]) -> Tensor:
    return inner(vectors, gradient, channels)
