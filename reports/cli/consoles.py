"""The consoles of the command, the one place that prints, and that decides what a terminal is.

What they print holds no control character, and what the output cannot encode is written as Python escapes it.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from io import TextIOBase
from typing import Any
from unicodedata import category

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from srd.errors import CapacityError

UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""The categories of characters that move a cursor, colour or reorder a text, break lines, or are half a character."""
LAYOUT = frozenset("\n\t")
WITHOUT_CURSOR = frozenset({"", "dumb", "unknown"})
"""The values of TERM of what shows lines and nothing else."""
SIZES = frozenset({"COLUMNS", "LINES"})
"""The variables that rich believes, whatever size they say."""


def is_terminal(stream: Any) -> bool:
    """Return whether a stream shows colours and a cursor that moves. No variable makes a terminal of a pipe."""
    try:
        return bool(stream.isatty()) and os.environ.get("TERM", "").lower() not in WITHOUT_CURSOR
    except (AttributeError, OSError, ValueError):  # a stream of somebody else's, or a closed one
        return False


def terminal_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables by which rich knows a terminal, without those that contradict it."""
    known = {name: environment[name] for name in ("TERM", "COLORTERM", "NO_COLOR", *SIZES) if name in environment}
    return {name: value for name, value in known.items() if name not in SIZES or (value.isdigit() and int(value) > 1)}


class EscapingConsole(Console):
    """A console that shows control characters, and what its output cannot encode, as Python writes them."""

    def __init__(self, **options: Any) -> None:
        super().__init__(_environ=terminal_variables(os.environ), **options)

    @property
    def is_terminal(self) -> bool:
        """Return whether the output shows colours and a cursor that moves."""
        return is_terminal(self.file) if self._force_terminal is None else self._force_terminal

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render an object, with the characters of its texts escaped that cannot be shown."""
        return _escape_segments(super().render(renderable, options), self.encoding)

    def print(self, *objects: Any, **options: Any) -> None:
        """Print objects.

        Raises
        ------
        CapacityError
            If the output takes nothing more: it is full, or nobody reads it.
        """
        try:
            super().print(*objects, **options)
        except OSError as error:
            self._buffer.clear()  # else the next print would try it again
            raise output_failure("standard error" if self.stderr else "standard output", error) from error

    def on_broken_pipe(self) -> None:
        """Raise the error again: by default rich would end the program."""
        raise  # noqa: PLE0704  within the handler of the error


class _Lossy(TextIOBase):
    """Standard error as long as it takes anything: what cannot be written is lost, and stops nothing."""

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):  # full, unread or closed
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()

    def isatty(self) -> bool:
        return bool(self._stream.isatty())

    def fileno(self) -> int:
        return int(self._stream.fileno())

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return getattr(self._stream, "encoding", None) or "utf-8"

    @property
    def _stream(self) -> Any:
        return getattr(sys.stderr, "rich_proxied_file", sys.stderr)  # rich puts itself in place while bars are shown


results = EscapingConsole(soft_wrap=True)
"""What a command was asked for."""
refusals = EscapingConsole(stderr=True, soft_wrap=True, highlight=False, emoji=False)
"""Why it ends."""
messages = EscapingConsole(file=_Lossy(), soft_wrap=True, highlight=False, emoji=False)
"""What it does meanwhile: progress and notes, for which no run stops."""


def output_failure(name: str, error: OSError) -> CapacityError:
    """Return the refusal of an output that takes nothing more."""
    return CapacityError(f"{name}: {error.strerror}; send it to where it fits and is read")


def escape(text: str, encoding: str = "utf-8") -> str:
    """Return a text of which what cannot be shown is written as Python writes it.

    These are control characters, halves of characters, and what the encoding does not have.
    """
    if not text.isprintable():
        text = "".join(_escape_character(each) for each in text)
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _escape_segments(segments: Iterable[Segment], encoding: str) -> Iterator[Segment]:
    for text, style, control in segments:
        yield Segment(text if control else escape(text, encoding), style, control)


def _escape_character(character: str) -> str:
    if character in LAYOUT or category(character) not in UNSAFE:
        return character
    return character.encode("unicode_escape").decode()
