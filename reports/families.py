"""The families of methods, and their order in every table and figure, which is that of the registry."""

from collections.abc import Callable, Iterable
from itertools import groupby
from typing import TypeVar

from srd.registry import ATTRIBUTORS

CONTROL = "control"
"""The family of the methods that do not look at the network."""
T = TypeVar("T")


def registry_position(method: str) -> int:
    """Return the place of a method in the registry. `srd@layer3` has the place of `srd`."""
    return list(ATTRIBUTORS).index(method.partition("@")[0])


def family_of(method: str) -> str:
    """Return the family of a method."""
    return ATTRIBUTORS[method].family


def is_control(method: str) -> bool:
    """Return whether a method is a control, which should lose every comparison."""
    return family_of(method) == CONTROL


def by_family(items: Iterable[T], method: Callable[[T], str]) -> list[tuple[str, list[T]]]:
    """Return families with their items: neighbouring items whose methods are of one family form a group."""
    return [(name, list(members)) for name, members in groupby(items, lambda item: family_of(method(item)))]
