"""The schema of an array of the store: dimensions, type, meaning and shards; and why a score is NaN."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Literal

CONDITION_FACTS = tuple(
    f"perturbation_{fact}" for fact in ("name", "family", "strength", "norm", "against", "group", "draw")
)
"""The coordinates along the perturbation axis, other than the ids of the conditions."""
TILE = "image"
"""The dimension that tasks share out, one tile at a time."""

Group = Literal["masked", "attack", "universal", "stochastic", "attacked"]
"""A group of columns of a stage's axis. Of conditions: masked is the clean one, if the data has masks; attack holds the
attacks on explanations; universal, those of them that are one displacement for all images. Of methods: stochastic holds
those that draw at random; attacked, those that an attack on explanations goes against."""

Question = Literal["faithfulness", "randomisation"]
"""A category of metrics for which a stage asks the network again, about some of the images."""


@dataclass(frozen=True)
class Variable:
    """One array of the store."""

    name: str
    dims: tuple[str, ...]
    dtype: str
    meaning: str
    whole: tuple[str, ...] = ()
    """The dimensions that one shard holds whole. Of the images a shard holds one tile; of any other dimension, one
    element."""
    is_large: bool = False
    """Whether the array is cut into inner chunks of one image each."""
    group: Group | None = None
    """The group of columns whose tasks write the array; None stands for all."""

    def shard(self, sizes: Mapping[str, int], tile: int) -> tuple[int, ...]:
        """Return the shape of a shard, which is what one task writes."""
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
"""The arrays with a number for each image, which are written when the store is created; each is one object."""


class Reason(IntEnum):
    """The reason why a score is NaN, as the store numbers it."""

    DEFINED = 0
    NO_MASKS = 1
    EMPTY_MASK = 2
    NO_CONTRAST = 3
    NOT_FINITE = 4
    NO_INPUT_CHANGE = 5
    NO_ANSWER_CHANGE = 6
    UNINFORMATIVE_FILL = 7
    NOT_ASKED = 8
    UNSIGNED_METHOD = 9
    NOT_CLAIMED = 10
    UNKNOWN_OBJECT = 11


REASONS = (
    "defined",
    "the data set has no masks",
    "the mask is empty",
    "the map has nothing to compare",
    "the map is not finite",
    "the input is unchanged",
    "the network's answer is unchanged",
    "the fill says nothing about the order",
    "this was not asked",
    "the method's maps have no sign",
    "the method does not claim it",
    "no mask says where the explained object is",
)
"""The reasons in words, by number."""


@dataclass(frozen=True)
class ReferenceMap:
    """Another map that the clean map is compared with, which gives similarities their scale."""

    meaning: str
    variable: str
    """The array that the other map is made from."""
    of_target_image: bool = False
    """Whether the other map is made from the target image; else it is made from the image itself."""


REFERENCES: Mapping[str, ReferenceMap] = MappingProxyType(
    {
        "other_class": ReferenceMap(
            "the same method's map of another class, drawn at random for each image", "other_class_attribution"
        ),
        "other_image": ReferenceMap("the same method's map of the target image", "attribution", of_target_image=True),
        "edges": ReferenceMap("the Sobel magnitude of the image", "input"),
        "repeat": ReferenceMap(
            "the same method's map of the same image, drawn again; of methods that draw at random", "repeat_attribution"
        ),
    }
)

MEASURES: Mapping[str, str] = MappingProxyType(
    {
        "input_l2": "L2 norm of the difference of what the network reads, which is normalised",
        "input_relative": "the same, divided by the L2 norm of what it reads of the clean image",
        "logit_l2": "L2 norm of the difference of the logits",
        "feature_relative": "L2 norm of the difference of the encoder's output, divided by that of the clean image; "
        "NaN if no module of the network returns the output of an encoder",
    }
)
"""How far a condition moved an image, on its way through the network."""
