"""Every variable of the store: name, dimensions, type and meaning, and how it is cut into shards."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

CONDITION_FACTS = tuple(f"perturbation_{fact}" for fact in ("name", "family", "strength", "norm", "against"))
"""Coordinates along the perturbation axis, beside its ids."""
TILE = "image"
"""The dimension that tasks share out, a tile at a time."""


@dataclass(frozen=True)
class Variable:
    """One array of the store."""

    name: str
    dims: tuple[str, ...]
    dtype: str
    meaning: str
    whole: tuple[str, ...] = ()
    """Dimensions that one shard holds whole, beside a tile of images; along the others it holds one element."""
    is_large: bool = False
    """Worth inner chunks of one image each."""

    def shard(self, sizes: Mapping[str, int], tile: int) -> tuple[int, ...]:
        """Shape of a shard: what one task writes."""
        return tuple(tile if dim == TILE else sizes[dim] if dim in self.whole else 1 for dim in self.dims)

    def chunk(self, sizes: Mapping[str, int], tile: int) -> tuple[int, ...]:
        """Shape of what is read at once."""
        shard = self.shard(sizes, tile)
        return (1, *shard[1:]) if self.is_large else shard


_MAP = ("y", "x")

VARIABLES: Mapping[str, Variable] = MappingProxyType(
    {
        variable.name: variable
        for variable in (
            Variable("label", ("image",), "int64", "index of the true class"),
            Variable("target", ("image",), "int64", "index of the class that is explained"),
            Variable("other_class", ("image",), "int64", "index of a class drawn from all but the target"),
            Variable("target_image", ("image",), "int64", "position of the image whose map a manipulation aims at"),
            Variable(
                "input",
                ("image", "perturbation", "channel", *_MAP),
                "float32",
                "what every method saw, in [0, 1]",
                whole=("channel", *_MAP),
                is_large=True,
            ),
            Variable(
                "displacement",
                ("perturbation", "channel", *_MAP),
                "float32",
                "of a universal perturbation: what is added to every image",
                whole=("channel", *_MAP),
            ),
            Variable(
                "attack_evidence",
                ("image", "perturbation", "evidence"),
                "float32",
                "how an attack on an explanation searched, as the attribute evidence explains",
                whole=("evidence",),
            ),
            Variable("mask", ("image", *_MAP), "bool", "where the object is", whole=_MAP),
            Variable("prediction", ("image", "perturbation", "class"), "float32", "logits", whole=("class",)),
            Variable(
                "attribution",
                ("image", "perturbation", "method", *_MAP),
                "float16",
                "map of the target, divided by scale",
                whole=("perturbation", *_MAP),
                is_large=True,
            ),
            Variable(
                "scale",
                ("image", "perturbation", "method"),
                "float32",
                "power of two that attribution is to be multiplied by",
                whole=("perturbation",),
            ),
            Variable(
                "other_class_attribution",
                ("image", "method", *_MAP),
                "float16",
                "map of other_class on the clean image, divided by other_class_scale",
                whole=_MAP,
                is_large=True,
            ),
            Variable(
                "other_class_scale",
                ("image", "method"),
                "float32",
                "power of two that other_class_attribution is to be multiplied by",
            ),
            Variable(
                "score",
                ("image", "perturbation", "method", "metric"),
                "float32",
                "metric of the map; similarities are to the clean map of the same image and method",
                whole=("perturbation", "metric"),
            ),
            Variable(
                "reason",
                ("image", "perturbation", "method", "metric"),
                "uint8",
                "why a score is NaN, as numbered by the attribute reasons",
                whole=("perturbation", "metric"),
            ),
            Variable(
                "reference_similarity",
                ("image", "method", "reference", "similarity"),
                "float32",
                "similarity of the clean map to another map, which gives similarities their scale",
                whole=("reference", "similarity"),
            ),
        )
    }
)

PREPARED = ("label", "target", "other_class", "target_image")
"""Written whole when the store is created."""

WRITES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "fit": ("displacement",),
        "perturb": ("input", "prediction"),
        "attribute": ("attribution", "scale", "other_class_attribution", "other_class_scale"),
        "score": ("score", "reason", "reference_similarity"),
    }
)
"""What a task of each stage writes; of perturb the clean entry also the mask, an attack on explanations evidence."""

STAGES = tuple(WRITES)


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

REFERENCES: Mapping[str, str] = MappingProxyType(
    {
        "other_class": "the same method's map of another class, drawn at random for each image",
        "other_image": "the same method's map of the target image",
        "edges": "the Sobel magnitude of the image",
    }
)
