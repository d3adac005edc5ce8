"""Whatever a message holds, a terminal shows it and obeys none of it."""

import io

import pytest
from rich.table import Table
from rich.text import Text

from reports.cli.consoles import EscapingConsole, escape

HOSTILE = {
    "\x1b[31m": r"\x1b[31m",
    "\x1b]0;title\x07": r"\x1b]0;title\x07",
    "a\rb": r"a\rb",
    "\x9b2J": r"\x9b2J",
    "\x7f": r"\x7f",
    "\u202egnp.exe": r"\u202egnp.exe",
    "\u2028": r"\u2028",
    "\ud800": r"\ud800",
}


@pytest.mark.parametrize("name", ["one line", "two\nlines", "a\ttab", "é 漢字", "5\u00a0%", "back\\slash"])
def test_what_is_harmless_stays_as_it_is(name: str) -> None:
    assert escape(name) == name


@pytest.mark.parametrize(("name", "expected"), HOSTILE.items(), ids=range(len(HOSTILE)))
def test_control_characters_are_shown_and_not_obeyed(name: str, expected: str) -> None:
    assert escape(name) == escape(escape(name)) == expected
    for renderable in (name, Text(name), Text.assemble(("error", "bold red"), name)):
        assert name not in printed(renderable)
    assert expected in printed(Text(escape(name)))


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_tables_obey_no_control_character(name: str) -> None:
    table = Table(name, title=name)
    table.add_row(name)
    assert name not in printed(table)


def printed(renderable: object) -> str:
    stream = io.StringIO()
    EscapingConsole(file=stream, width=80, soft_wrap=True).print(renderable, markup=False)
    return stream.getvalue()


def test_colours_of_our_own_are_kept() -> None:
    stream = io.StringIO()
    EscapingConsole(file=stream, force_terminal=True, color_system="standard").print(Text("\x1b[31mx", style="bold"))
    assert stream.getvalue() == "\x1b[1m\\x1b[31mx\x1b[0m\n"
