"""How a command line says in which form a command tells its end: in words, as JSON, or without words."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object in place of text.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print the result and refusals, nothing else.")]


@contextmanager
def silence(console: Console, is_quiet: bool) -> Iterator[None]:
    """Print nothing on a console within the context, if it is to be quiet."""
    before, console.quiet = console.quiet, console.quiet or is_quiet
    try:
        yield
    finally:
        console.quiet = before


def print_json(console: Console, content: Any) -> None:
    """Print an object, indented."""
    console.print(Text(json.dumps(content, indent=1)))
