"""The options of methods and perturbations: their values, their origins, and both in words."""

from collections.abc import Mapping, Sequence
from typing import Any

from reports.audit.facts import OptionValue
from reports.formatting import NONE
from srd.entries import Entry


def all_options(entry: Entry, given: Mapping[str, Any]) -> tuple[OptionValue, ...]:
    """Return the fixed options of a registry entry, then its free ones."""
    fixed = (OptionValue(name=name, value=value, origin="fixed") for name, value in entry.fixed.items())
    return (*fixed, *free_options(entry, given))


def free_options(entry: Entry, given: Mapping[str, Any]) -> tuple[OptionValue, ...]:
    """Return the options that a spec may set, with the value of the spec or the default."""
    return tuple(
        OptionValue(name=name, value=given.get(name, default), origin="spec" if name in given else "default")
        for name, default in entry.options.items()
    )


def in_words(options: Sequence[OptionValue]) -> str:
    """Return options as the text of a cell. The origin is given unless it is the spec."""
    values = (f"{o.name} = {o.value}{'' if o.origin == 'spec' else f' ({o.origin})'}" for o in options)
    return ", ".join(values) or NONE
