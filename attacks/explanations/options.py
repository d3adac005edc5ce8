"""The options of attacks on explanations: the name, type, default and meaning of each, once; no import of torch.

A subclass leaves an option out by a field without `init`: it is no keyword, and keeps its default.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from attacks.entries import Norm

if TYPE_CHECKING:
    from torch import Tensor

    from srd.types import Attributor


@dataclass(frozen=True, kw_only=True)
class AttackOptions:
    """Of all attacks; `attributor`, `aim` and `norm` are what an entry is, not what a spec may set."""

    attributor: "Attributor"
    """The method that is attacked."""
    aim: str
    """One of AIMS."""
    norm: Norm
    """Of the ball that is searched."""
    steps: int = 100
    """Of each run of the search."""
    restarts: int = 2
    """Runs of the search: the first from the clean image, those after it from random points of the ball."""
    pairs: int = 20
    """Of opposite points, by which a gradient is estimated (NES, Ilyas et al. 2018)."""
    sigma: float = 0.02
    """Standard deviation of these points, pixels in [0, 1]."""
    relative_step: float = 0.25
    """Size of the first step in units of the strength."""
    keep: float = 1.0
    """Price of a prediction that is not as the aim wants it."""
    tolerance: float = 1.0
    """By how much a probability may change, where the aim keeps the prediction."""
    eight_bits: bool = False
    """Judges and returns iterates moved by whole levels of 1/255."""


@dataclass(frozen=True, kw_only=True)
class WhiteBoxOptions(AttackOptions):
    """Of attacks that differentiate through the method."""

    pairs: int = field(init=False)
    sigma: float = field(init=False)


@dataclass(frozen=True, kw_only=True)
class BlackBoxOptions(AttackOptions):
    """Of attacks by questions alone, which are not restarted."""

    restarts: int = field(default=1, init=False)


@dataclass(frozen=True, kw_only=True)
class DisplacementOptions(WhiteBoxOptions):
    """Of what adds a displacement that has been found."""

    displacement: "Tensor"
    """As `universal` returns it."""
    steps: int = field(init=False)
    restarts: int = field(init=False)
    relative_step: float = field(init=False)
