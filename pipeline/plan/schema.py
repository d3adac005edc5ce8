"""One array of the store: its dimensions, type and meaning, and how it is cut into shards; why a score is NaN."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Literal

CONDITION_FACTS = tuple(f"perturbation_{fact}" for fact in ("name", "family", "strength", "norm", "against"))
"""Coordinates along the perturbation axis, beside its ids."""
TILE = "image"
"""The dimension that tasks share out, a tile at a time."""

Group = Literal["masked", "attack", "universal"]
"""Columns of the perturbation axis: the clean one of a data set with masks; attacks on explanations; those among them
that are one displacement for all images."""


@dataclass(frozen=True)
class Variable:
    """Describe one array of the store."""

    name: str
    dims: tuple[str, ...]
    dtype: str
    meaning: str
    whole: tuple[str, ...] = ()
    """Dimensions that one shard holds whole; of the images it holds a tile, along the others one element."""
    is_large: bool = False
    """Worth inner chunks of one image each."""
    group: Group | None = None
    """Columns whose tasks alone write it; None: all."""

    def shard(self, sizes: Mapping[str, int], tile: int) -> tuple[int, ...]:
        """Return the shape of a shard: what one task writes."""
        return tuple(sizes[dim] if dim in self.whole else tile if dim == TILE else 1 for dim in self.dims)

    def chunk(self, sizes: Mapping[str, int], tile: int) -> tuple[int, ...]:
        """Return the shape of what is read at once."""
        shard = self.shard(sizes, tile)
        return (1, *shard[1:]) if self.is_large else shard


def _prepared_variable(name: str, meaning: str) -> Variable:
    return Variable(name, (TILE,), "int64", meaning, whole=(TILE,))


PREPARED: Mapping[str, Variable] = MappingProxyType(
    {
        variable.name: variable
        for variable in (
            _prepared_variable("label", "index of the true class"),
            _prepared_variable("target", "index of the class that is explained"),
            _prepared_variable("other_class", "index of a class drawn from all but the target"),
            _prepared_variable("target_image", "position of the image whose map a manipulation aims at"),
        )
    }
)
"""A number for each image, written when the store is created: each variable in one object."""


class Reason(IntEnum):
    """Why a score is NaN, as the store numbers it."""

    DEFINED = 0
    NO_MASKS = 1
    EMPTY_MASK = 2
    NO_CONTRAST = 3
    NOT_FINITE = 4


REASONS = (
    "defined",
    "the data set has no masks",
    "the mask is empty",
    "the map has nothing to compare",
    "the map is not finite",
)
"""In words, by number."""


@dataclass(frozen=True)
class Reference:
    """Describe what clean maps are compared with, to give similarities their scale."""

    meaning: str
    variable: str
    """The array that it is made from."""
    of_target_image: bool = False
    """Made from what is stored of the target image; else of the image itself."""


REFERENCES: Mapping[str, Reference] = MappingProxyType(
    {
        "other_class": Reference(
            "the same method's map of another class, drawn at random for each image", "other_class_attribution"
        ),
        "other_image": Reference("the same method's map of the target image", "attribution", of_target_image=True),
        "edges": Reference("the Sobel magnitude of the image", "input"),
    }
)
