"""The end of a command of the command line."""

from collections.abc import Callable
from typing import NamedTuple


class CommandEnd(NamedTuple):
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str


Command = Callable[..., CommandEnd]
