"""Affine maps within each position: linear layers over the channels, and normalisations whose scale is held."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Pointwise:
    """One tap: output position j reads input position j."""

    bias: Tensor | None
    axis: int
    """Of the channels."""

    def tap_norms(self, inputs: Tensor) -> Tensor:
        """A lone tap needs no norm: 1 where x_j is not zero, else 0; the channel axis kept with size 1."""
        return self.tap_presence(inputs)

    def tap_presence(self, inputs: Tensor) -> Tensor:
        """The same."""
        return inputs.detach().ne(0).any(self.axis, keepdim=True).to(inputs.dtype)
