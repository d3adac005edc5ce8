"""The options of SRD: the name, type, default and meaning of each, once. Nothing here imports torch.

A subclass leaves an option out by a field without `init`: it is no keyword, and keeps its default.
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
    """What every pass of a network has to be told."""

    operations: Mapping[str, DeclaredRule] = field(default_factory=dict)
    """Says of torch functions that are not known here whether they are "linear", a "gate" or an "activation"."""


@dataclass(frozen=True, kw_only=True)
class SharingOptions(NetworkOptions):
    """Of the way between two layers."""

    bias: "Bias" = "norm"
    """Divides a bias among the taps of its convolution.

    By `||W_t x_i||` ("norm", the authors' code), by the sharing ratio ("ratio"), equally ("uniform"), or not at all
    ("drop").
    """


@dataclass(frozen=True, kw_only=True)
class FieldOptions(SharingOptions):
    """Of receptive fields."""

    batch: int = 32
    """Rows, one for each image and position, that pass the network at once."""


@dataclass(frozen=True, kw_only=True)
class SrdOptions(SharingOptions):
    """Of maps of SRD."""

    encoder: str | None = None
    """Names the module with whose output the encoder ends.

    By default it ends with the last features that every path passes and that are read at more than one position.
    """
    contrast: "Contrast" = "mean"
    """Subtracts ("mean") the mean over positions from the starting relevance: what all classes share falls away."""
    start: "Start" = "gradient"
    """With what relevance sets out.

    "gradcam" begins with Grad-CAM's values at the vectors before the encoder's last activation, as the authors do for
    VGG, instead of each vector's product with its own gradient.
    """
    precision: "Precision" = "full"
    """Of what convolutions and linear layers multiply.

    "mixed" rounds relevance and weights to bfloat16 on the way down (docs/architecture.md states the error), "bfloat16"
    and "float16" also the network's own; all else keeps the type of the inputs.
    """
    create_graph: bool = False
    """Makes the result differentiable by the inputs, and by the parameters that require grad.

    Those of activations, as the slopes of PReLU, apart. Relevance then comes down in the type of the network's own
    products.
    """


@dataclass(frozen=True, kw_only=True)
class RelevanceOptions(SrdOptions):
    """Of relevance at the layers, and of maps with their books: in full precision."""

    precision: "Precision" = field(init=False)


@dataclass(frozen=True, kw_only=True)
class LayerOptions(RelevanceOptions):
    """Of the relevance of one layer."""

    layer: str
    """Names the module whose output it is."""


@dataclass(frozen=True, kw_only=True)
class AblationOptions(RelevanceOptions):
    """Of SRD with one of its choices undone."""

    start: "Start" = field(init=False)


@dataclass(frozen=True, kw_only=True)
class CoarseOptions(AblationOptions):
    """Of the starting relevance alone, which meets no bias."""

    bias: "Bias" = field(init=False)
