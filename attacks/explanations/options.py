"""The options of attacks on explanations: the name, type, default and meaning of each, in one place, without torch.

A subclass removes an option by a field without `init`. This field is no keyword and keeps its default.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from attacks.entries import Norm

if TYPE_CHECKING:
    from torch import Tensor

    from srd.types import Attributor


@dataclass(frozen=True, kw_only=True)
class AttackOptions:
    """Options of all attacks. `attributor`, `aim` and `norm` define an entry; a spec may not set them."""

    attributor: "Attributor"
    """The attacked method."""
    aim: str
    """Name of an aim in AIMS."""
    norm: Norm
    """Norm of the ball that is searched."""
    steps: int = 100
    """Number of steps of each run of the search."""
    restarts: int = 2
    """Runs of the search: the first from the clean image, the others from random points of the ball.

    A later run is given up for images at which, after an eighth or a quarter of its steps, it has gained less than half
    of what the best run before it had gained by then, or, after half of them, less than all. Where the clean image may
    not be kept, since its prediction is to change, there is no gain, and no run is given up.
    """
    pairs: int = 20
    """Number of pairs of opposite points that estimate a gradient (NES, Ilyas et al. 2018)."""
    sigma: float = 0.02
    """Standard deviation of these points, pixels in [0, 1]."""
    relative_step: float = 0.25
    """Size of the first step in units of the strength."""
    keep: float = 1.0
    """Weight of the prediction in the search, where it is not as the aim wants it."""
    tolerance: float = 1.0
    """Largest allowed change of a probability, where the aim keeps the prediction."""
    eight_bits: bool = False
    """Whether iterates are moved by whole levels of 1/255 before they are judged and returned."""


@dataclass(frozen=True, kw_only=True)
class WhiteBoxOptions(AttackOptions):
    """Options of attacks that differentiate through the method."""

    pairs: int = field(init=False)
    sigma: float = field(init=False)


@dataclass(frozen=True, kw_only=True)
class BlackBoxOptions(AttackOptions):
    """Options of attacks by queries alone, which have no restarts."""

    restarts: int = field(default=1, init=False)


@dataclass(frozen=True, kw_only=True)
class DisplacementOptions(WhiteBoxOptions):
    """Options of an attack that adds a displacement which was found before."""

    displacement: "Tensor"
    """The displacement that `universal` returns."""
    steps: int = field(init=False)
    restarts: int = field(init=False)
    relative_step: float = field(init=False)
