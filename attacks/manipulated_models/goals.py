"""Goals for the maps of a manipulated model (Heo, Joo, Moon, NeurIPS 2019, section 3), from 0 to 1.

Each goal reads a map as a distribution, |map| divided by its sum, so that a change of scale reaches no goal. All are
differentiable. The progress of a map that is 0 everywhere is NaN.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import hypot
from types import MappingProxyType
from typing import Protocol

import torch
from torch import Tensor

from srd.metrics._maps import TOP
from srd.types import Maps, Scores

FRAME = 1 / 8
"""Width of the frame, relative to the sides."""


class GoalProgress(Protocol):
    """The progress of each map to a goal, given the map of the original network for the same input."""

    def __call__(self, maps: Maps, original: Maps) -> Scores: ...


@dataclass(frozen=True)
class Location:
    """Share of the map inside a region, wherever the object is."""

    region: Callable[[int, int], Tensor]
    """(height, width) -> pixels inside, (h, w)."""

    def __call__(self, maps: Maps, original: Maps) -> Scores:
        inside = self.region(*maps.shape[1:]).to(maps.device)
        return (_shares(maps) * inside).sum((1, 2))


def off_top_k(maps: Maps, original: Maps) -> Scores:
    """Return the share of the map outside of the 5 % of pixels that were strongest; ties go to the first."""
    strength = original.abs().flatten(1)
    k = max(1, round(TOP * strength.shape[1]))
    top = strength.sort(dim=1, descending=True, stable=True).indices[:, :k]
    return 1 - _shares(maps).flatten(1).gather(1, top).sum(1)


def mass_centre_shift(maps: Maps, original: Maps) -> Scores:
    """Return the distance of the centre of mass from its original place, relative to the diagonal of the image."""
    height, width = maps.shape[1:]
    shift = _centres(maps) - _centres(original)
    squares = shift.square().sum(1)
    distance = torch.where(squares == 0, squares, squares.where(squares != 0, 1).sqrt())  # 0 has a gradient as well
    return distance / hypot(height - 1, width - 1)


def frame(height: int, width: int) -> Tensor:
    """Return the outermost pixels on all sides."""
    inside = torch.ones(height, width, dtype=torch.bool)
    rows, columns = max(1, round(FRAME * height)), max(1, round(FRAME * width))
    inside[rows : height - rows, columns : width - columns] = False
    return inside


def corner(height: int, width: int) -> Tensor:
    """Return the upper left quarter."""
    inside = torch.zeros(height, width, dtype=torch.bool)
    inside[: height // 2, : width // 2] = True
    return inside


@dataclass(frozen=True)
class ManipulationGoal:
    """A goal as a spec and a report name it."""

    progress: GoalProgress
    title: str
    unit: str
    """Unit of the progress, from 0 to 1."""


MANIPULATION_GOALS: Mapping[str, ManipulationGoal] = MappingProxyType(
    {
        "location_frame": ManipulationGoal(
            Location(frame), "location: the frame", "share of |map| in the frame, 0 to 1"
        ),
        "location_corner": ManipulationGoal(
            Location(corner), "location: the upper left quarter", "share of |map| in the upper left quarter, 0 to 1"
        ),
        "top_k": ManipulationGoal(
            off_top_k, "top-k", "share of |map| outside of the original's top 5 % of pixels, 0 to 1"
        ),
        "mass_centre": ManipulationGoal(
            mass_centre_shift, "centre of mass", "shift of the centre of |map|, in diagonals of the image, 0 to 1"
        ),
    }
)


def _shares(maps: Maps) -> Maps:
    strength = maps.abs()
    return strength / strength.sum((1, 2), keepdim=True)


def _centres(maps: Maps) -> Tensor:
    """Return row and column of the centres, (n, 2)."""
    shares = _shares(maps)
    rows, columns = (torch.arange(size, dtype=maps.dtype, device=maps.device) for size in maps.shape[1:])
    return torch.stack([shares.sum(2) @ rows, shares.sum(1) @ columns], 1)
