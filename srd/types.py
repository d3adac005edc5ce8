"""Shapes and protocols of the lowest package."""

from collections.abc import Sequence
from typing import Protocol

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

Inputs = Float[Tensor, "n c h w"]
"""Inputs of the network: images after normalisation."""

Target = Int64[Tensor, " n"]
"""The explained class, one per row."""

AnyTarget = int | Sequence[int] | Int64[Tensor, ""] | Target
"""The explained class: the number of one logit for all rows, or one number for each row."""

Logits = Float[Tensor, "n classes"]
Maps = Float[Tensor, "n h w"]
Masks = Bool[Tensor, "n h w"]
Scores = Float[Tensor, " n"]
Curves = Float[Tensor, "n steps"]
"""The probability of the target in each step of a removal, from nothing to all."""

Samples = Float[Tensor, "n subsets"]
"""A number for each of an image's subsets of pixels."""

Order = Int64[Tensor, " pixels"]
"""The pixels of one image, numbered along its rows, first those that are removed first."""

Cells = Bool[Tensor, "subsets cells"]
"""Which cells of a square grid are in each subset, numbered along the rows."""

Generators = Sequence[torch.Generator]
"""One random stream per row."""


class Attributor(Protocol):
    """Explains `target` at `inputs`: one map per row, at the resolution of the inputs, signed if the method is.

    `target` is the explained class of each row, the index of its logit. The entries of the registry, and SRD itself,
    take an `AnyTarget` in its place: an int, or a list, explains the same class in all rows, or one class in each.
    Deterministic methods ignore `generators`. The network, its mode, its hooks and the global random state are left as
    they were found. Maps are detached unless `create_graph` asks for a graph back to `inputs` and to the parameters
    that require grad.
    """

    def __call__(
        self,
        network: nn.Module,
        inputs: Inputs,
        target: Target,
        generators: Generators | None = None,
        *,
        create_graph: bool = False,
    ) -> Maps: ...
