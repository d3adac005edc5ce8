"""The two consoles of the command. What they print holds no control character, and what cannot be printed is told."""

from collections.abc import Iterable, Iterator
from typing import Any
from unicodedata import category

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from srd.errors import CapacityError

UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""The categories of characters that move a cursor, colour or reorder a text, break lines, or are half a character."""
LAYOUT = frozenset("\n\t")


class EscapingConsole(Console):
    """A console that shows control characters as Python writes them."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render an object, with the control characters of its texts escaped."""
        return _escape_segments(super().render(renderable, options))

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


results = EscapingConsole(soft_wrap=True)
messages = EscapingConsole(stderr=True, soft_wrap=True, highlight=False, emoji=False)


def output_failure(name: str, error: OSError) -> CapacityError:
    """Return the refusal of an output that takes nothing more."""
    return CapacityError(f"{name}: {error.strerror}; send it to where it fits and is read")


def escape(text: str) -> str:
    """Return a text whose control characters and halves of characters are written as Python writes them."""
    if text.isprintable():
        return text
    return "".join(_escape_character(each) for each in text)


def _escape_segments(segments: Iterable[Segment]) -> Iterator[Segment]:
    for text, style, control in segments:
        yield Segment(text if control else escape(text), style, control)


def _escape_character(character: str) -> str:
    if character in LAYOUT or category(character) not in UNSAFE:
        return character
    return character.encode("unicode_escape").decode()
