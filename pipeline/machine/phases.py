"""The phases of what takes long, told to whoever waits for it, who may be in another process."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import TypeVar

T = TypeVar("T")

PERIOD = 0.25
"""The fewest seconds between two counts of one phase: each is a message to another process."""


@dataclass(frozen=True)
class Phase:
    """The work that is being done, in words."""

    words: str
    detail: str = ""
    """How far it is, such as `3/63` or `40 %`; a new detail is no new phase."""

    def __str__(self) -> str:
        return f"{self.words} {self.detail}".rstrip()


@dataclass(frozen=True)
class Notice(Phase):
    """News that a user still has to see when the work is over."""


Tell = Callable[[Phase], object]
"""A function that receives phases, each when it begins or has got further."""


def tell_nobody(phase: Phase) -> None:
    """Drop a phase."""


def count_aloud(items: Sequence[T], words: str, tell: Tell) -> Iterator[T]:
    """Yield items of one phase, and tell how many there were: of the first, and then now and then."""
    told = float("-inf")
    for number, item in enumerate(items, 1):
        now = monotonic()
        if now - told >= PERIOD:
            told = now
            tell(Phase(words, f"{number}/{len(items)}"))
        yield item


def name_aloud(names: Sequence[str], words: str, tell: Tell) -> Iterator[str]:
    """Yield names of one phase, and tell each, such as `trying method 3/6: grad_cam`."""
    for number, name in enumerate(names, 1):
        tell(Phase(words, f"{number}/{len(names)}: {name}"))
        yield name
