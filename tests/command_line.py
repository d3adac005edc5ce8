"""How a command of the command line ends."""

from collections.abc import Callable
from typing import NamedTuple


class Ended(NamedTuple):
    """What is left of a command."""

    code: int
    out: str
    err: str


Command = Callable[..., Ended]
