"""Methods in the order of the registry, which is by family: the order of every table and figure."""

from collections.abc import Callable, Iterable
from itertools import groupby
from typing import TypeVar

from srd.registry import ATTRIBUTORS

CONTROL = "control"
"""The family of methods that know nothing of the network."""
T = TypeVar("T")


def position(method: str) -> int:
    """Return the place of a method in the registry; at a layer, that of the method."""
    return list(ATTRIBUTORS).index(method.partition("@")[0])


def family_of(method: str) -> str:
    """Return the family of a method."""
    return ATTRIBUTORS[method].family


def is_control(method: str) -> bool:
    """Return whether a method should lose."""
    return family_of(method) == CONTROL


def by_family(items: Iterable[T], method: Callable[[T], str]) -> list[tuple[str, list[T]]]:
    """Return families and their items; neighbours whose methods are of one family stand together."""
    return [(name, list(members)) for name, members in groupby(items, lambda item: family_of(method(item)))]
