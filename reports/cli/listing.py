"""The commands that list the registries' entries."""

from collections.abc import Mapping

from rich.text import Text

from attacks.registry import PERTURBATIONS
from reports.cli.consoles import results
from srd.entries import Entry
from srd.registry import ATTRIBUTORS, METRICS


def methods() -> None:
    """List the explanation methods that a spec may name."""
    _list_entries(ATTRIBUTORS, "family", "networks", "signed", "low_resolution", "stochastic", "differentiable", "cost")


def perturbations() -> None:
    """List the perturbations that a spec may name."""
    _list_entries(PERTURBATIONS, "family", "goal", "constraint", "access", "cost")


def metrics() -> None:
    """List what is measured of every map."""
    _list_entries(METRICS, "category", "of", "better", "bounds")


def _list_entries(entries: Mapping[str, Entry], *facts: str) -> None:
    """Print two lines for each entry. A table of so many columns would cut the names that a spec needs."""
    for entry in entries.values():
        values = {fact: _fact_in_words(getattr(entry, fact)) for fact in facts}
        values |= {
            "options": ", ".join(f"{name} = {default}" for name, default in entry.options.items()),
            "reference": entry.reference,
        }
        results.print(Text.assemble((entry.name, "bold"), "  ", entry.title))
        results.print(Text("    " + "; ".join(f"{fact}: {value}" for fact, value in values.items() if value)))


def _fact_in_words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
