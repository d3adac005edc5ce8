"""Settings: keys of a spec that a command line overrules, such as `data.n=16`."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.spec.values import closest, shorten_value
from srd.errors import SpecError

DEPLOYMENT = frozenset({"cluster", "store"})
"""The tables that say where an audit runs. `pipeline.spec.deployment` reads them; no spec holds them."""
LONGEST = 4096  # characters
FORM = "write KEY=VALUE, such as data.n=16 or perturbation.pgd.strengths='[\"8/255\"]'"
LEAF = 0


@dataclass(frozen=True)
class Setting:
    """A key of a spec, and the value that it gets."""

    text: str
    """What the user wrote."""
    key: tuple[str, ...]
    value: Any

    def __str__(self) -> str:
        return f"--set {self.text}"


def parse_settings(texts: Iterable[str]) -> tuple[Setting, ...]:
    """Return the settings of a command line.

    Raises
    ------
    SpecError
        If a text is not `KEY=VALUE` with a key and a value of TOML, if two texts set one key, or if a key lies in a
        table that says where an audit runs.
    """
    settings: dict[tuple[str, ...], Setting] = {}
    for text in texts:
        setting = _parse(text)
        if setting.key in settings:
            raise SpecError(f"{setting}: {'.'.join(setting.key)} is set twice; set it once")
        settings[setting.key] = setting
    return tuple(settings.values())


def apply_settings(table: Mapping[str, Any], settings: Sequence[Setting]) -> dict[str, Any]:
    """Return a copy of the tables of a spec, with the values of the settings. Tables that are missing are added.

    An entry of a list of tables is named by its `name`, or by its number, counted from 1.

    Raises
    ------
    SpecError
        If a key leads through what is no table, or to no entry of a list.
    """
    edited = deepcopy(dict(table))
    for setting in settings:
        within: Any = edited
        for depth, part in enumerate(setting.key[:-1]):
            within = _within(within, part, setting, depth)
        if not isinstance(within, dict):
            raise _no_table(setting, len(setting.key) - 1, within)
        within[setting.key[-1]] = setting.value
    return edited


def place_with(path: Path, settings: Sequence[Setting]) -> str:
    """Return the place of a spec in messages: its path, with the settings that change it."""
    return f"{path} with {', '.join(map(str, settings))}" if settings else str(path)


def _parse(text: str) -> Setting:
    place = f"--set {shorten_value(text)}"
    key, equals, value = text.partition("=")
    if not equals or not key.strip() or not text.isprintable() or len(text) > LONGEST:
        raise SpecError(f"{place}: is no setting; {FORM}")
    parts = _key_of(key, place)
    if parts[0] in DEPLOYMENT:
        way_out = "use the options of the command, or write it into the spec"
        raise SpecError(f"{place}: [{parts[0]}] says where an audit runs, not what it is; {way_out}")
    return Setting(text, parts, _value_of(key, value, place))


def _key_of(key: str, place: str) -> tuple[str, ...]:
    try:
        table = tomllib.loads(f"{key} = {LEAF}")
    except (tomllib.TOMLDecodeError, RecursionError):
        raise SpecError(f"{place}: {shorten_value(key)} is no key of TOML; {FORM}") from None
    parts: list[str] = []
    within: Any = table
    while isinstance(within, dict):
        ((part, within),) = within.items()
        parts.append(part)
    return tuple(parts)


def _value_of(key: str, value: str, place: str) -> Any:
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        way_out = f"a text is quoted twice: --set '{key}=\"{value.strip()}\"'"
        raise SpecError(f"{place}: {shorten_value(value)} is no value of TOML; {way_out}") from None


def _within(table: Any, part: str, setting: Setting, depth: int) -> Any:
    """Return what a part of a key leads to: a table, or a list of tables."""
    if isinstance(table, dict):
        return table.setdefault(part, {})
    if not isinstance(table, list) or not all(isinstance(each, dict) for each in table):
        raise _no_table(setting, depth, table)
    return _entry(table, part, setting)


def _entry(entries: list[dict[str, Any]], part: str, setting: Setting) -> dict[str, Any]:
    named = [each for each in entries if each.get("name") == part]
    if len(named) == 1:
        return named[0]
    if len(named) > 1:
        numbers = [str(number) for number, each in enumerate(entries, 1) if each in named]
        raise SpecError(f"{setting}: {part} stands several times; name one by its number: {', '.join(numbers)}")
    if part.isascii() and part.isdecimal() and len(part) < 5 and 0 < int(part) <= len(entries):
        return entries[int(part) - 1]
    names = [str(each.get("name", number)) for number, each in enumerate(entries, 1)]
    raise SpecError(f"{setting}: the spec has no entry {shorten_value(part)}; {closest(part, names)}")


def _no_table(setting: Setting, depth: int, found: Any) -> SpecError:
    place = ".".join(setting.key[:depth])
    return SpecError(f"{setting}: {place} is {shorten_value(found)}, no table; set {place} itself, or another key")
