"""The lists of the registries' entries on the terminal."""

from collections.abc import Mapping

from rich.console import Console
from rich.text import Text

from srd.entries import Entry


def list_entries(console: Console, entries: Mapping[str, Entry], *facts: str) -> None:
    """Print two lines for each entry. A table of so many columns would cut the names that a spec needs."""
    for entry in entries.values():
        values = {fact: _fact_in_words(getattr(entry, fact)) for fact in facts}
        values |= {
            "options": ", ".join(f"{name} = {default}" for name, default in entry.options.items()),
            "reference": entry.reference,
        }
        console.print(Text.assemble((entry.name, "bold"), "  ", entry.title))
        console.print(Text("    " + "; ".join(f"{fact}: {value}" for fact, value in values.items() if value)))


def _fact_in_words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
