"""The options of methods and perturbations: their values, who set them, and both in words."""

from collections.abc import Mapping, Sequence
from typing import Any

from reports.audit.facts import Option
from reports.formatting import NONE
from srd.entries import Entry


def all_options(entry: Entry, given: Mapping[str, Any]) -> tuple[Option, ...]:
    """Return what is fixed of an entry, then its free options."""
    fixed = (Option(name=name, value=value, origin="fixed") for name, value in entry.fixed.items())
    return (*fixed, *free_options(entry, given))


def free_options(entry: Entry, given: Mapping[str, Any]) -> tuple[Option, ...]:
    """Return the options that a spec may set, as it has set them or by default."""
    return tuple(
        Option(name=name, value=given.get(name, default), origin="spec" if name in given else "default")
        for name, default in entry.options.items()
    )


def in_words(options: Sequence[Option]) -> str:
    """Return options in a cell; who set them is said unless it was the spec."""
    values = (f"{o.name} = {o.value}{'' if o.origin == 'spec' else f' ({o.origin})'}" for o in options)
    return ", ".join(values) or NONE
