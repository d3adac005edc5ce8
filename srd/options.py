"""The options of SRD: the name, type, default and meaning of each, in one place. Nothing here imports torch.

A subclass removes an option by a field without `init`. This field is no keyword and keeps its default.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from srd.entries import DeclaredRule

if TYPE_CHECKING:
    from srd.precision import Precision
    from srd.propagation import Contrast, Start
    from srd.rules import Bias


@dataclass(frozen=True, kw_only=True)
class NetworkOptions:
    """Options of every pass of a network."""

    operations: Mapping[str, DeclaredRule] = field(default_factory=dict)
    """Rules for torch functions that are not known here: "linear", "gate" or "activation"."""


@dataclass(frozen=True, kw_only=True)
class SharingOptions(NetworkOptions):
    """Options of the propagation between two layers."""

    bias: "Bias" = "norm"
    """How the relevance of a bias is divided among the taps of its convolution.

    By `||W_t x_i||` ("norm", as the authors' code does), by the sharing ratio ("ratio"), equally ("uniform"), or not at
    all ("drop").
    """


@dataclass(frozen=True, kw_only=True)
class FieldOptions(SharingOptions):
    """Options of receptive fields."""

    batch: int = 32
    """Number of rows, one for each image and position, that pass the network at once."""


@dataclass(frozen=True, kw_only=True)
class SrdOptions(SharingOptions):
    """Options of the maps of SRD."""

    encoder: str | None = None
    """Name of the module with whose output the encoder ends.

    By default the encoder ends with the last features that every path passes and that are read at more than one
    position.
    """
    contrast: "Contrast" = "mean"
    """Contrast between positions. "mean" subtracts the mean over positions from the starting relevance.

    What all classes share is removed in this way.
    """
    start: "Start" = "gradient"
    """The relevance with which SRD starts.

    "gradient" is the product of each vector with its own gradient. "gradcam" is Grad-CAM's value at the vectors before
    the encoder's last activation, which the authors use for VGG.
    """
    precision: "Precision" = "full"
    """Number type of the products in convolutions and linear layers.

    "mixed" rounds relevance and weights to bfloat16 on the way down (docs/families.md states the error), and is "full"
    on a device without instructions for bfloat16. "bfloat16" and "float16" round the network's own products as well.
    All else keeps the type of the inputs.
    """
    create_graph: bool = False
    """Whether the result is differentiable by the inputs, and by the parameters that require grad.

    Parameters of activations, such as the slopes of PReLU, are excepted. Relevance is then propagated in the type of
    the network's own products.
    """


@dataclass(frozen=True, kw_only=True)
class RelevanceOptions(SrdOptions):
    """Options of relevance at the layers, and of maps with their balance, in full precision."""

    precision: "Precision" = field(init=False)


@dataclass(frozen=True, kw_only=True)
class LayerOptions(RelevanceOptions):
    """Options of the relevance of one layer."""

    layer: str
    """Name of the module at whose output the relevance is taken."""


@dataclass(frozen=True, kw_only=True)
class AblationOptions(RelevanceOptions):
    """Options of SRD with one of its choices undone."""

    start: "Start" = field(init=False)


@dataclass(frozen=True, kw_only=True)
class CoarseOptions(AblationOptions):
    """Options of the starting relevance alone, which meets no bias."""

    bias: "Bias" = field(init=False)
