"""The door for specs: TOML of bounded size and depth, whose refusals name file, place, value and way out."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import ValidationError

from pipeline.machine.files import MIB, UnreadableFile, read_file, refuse_what_a_parser_raises
from pipeline.machine.names import blame_text
from pipeline.spec.secrets import WAY_OUT, is_secret_name, is_secret_value
from pipeline.spec.settings import DEPLOYMENT, Setting, apply_settings
from pipeline.spec.values import SpecTable, closest, shorten_value
from srd.errors import SpecError

T = TypeVar("T", bound=SpecTable)
Place = tuple[Any, ...]

LISTS = (("perturbation",), ("criterion",))
"""The places of tables of which a file has several."""
DEEPEST = 16  # levels of tables and lists
LONGEST_KEY = 200
LONGEST_TEXT = 4096  # the longest path of Linux
WORD = 2**63
SHOWN = 8  # errors of one spec
LONG_PLACE = 60  # characters of a part of a place
DOTTED = re.compile(rf"""(?<![\w-])(?:(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){{{DEEPEST}}}""")
"""A key of so many parts that tomllib would take quadratic time; it has no bound of its own."""
EXAMPLE = "compare it with what `srd-audit init` writes"


def read_table(path: Path, settings: Sequence[Setting] = ()) -> dict[str, Any]:
    """Return the tables of a TOML file except those of the deployment, as settings change them.

    Raises
    ------
    SpecError
        As `read_toml` and `apply_settings` do.
    """
    table = {name: value for name, value in read_toml(path).items() if name not in DEPLOYMENT}
    return apply_settings(table, settings)


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file.

    Raises
    ------
    SpecError
        With the file and the way out.
    OSError
        If the disk fails.
    """
    try:
        content = read_file(path, MIB)
    except UnreadableFile as error:
        raise SpecError(f"{path}: {error}; `srd-audit init` writes a spec to start from") from None
    with refuse_what_a_parser_raises(SpecError, f"{path}: is no TOML", EXAMPLE):
        try:
            text = content.decode("utf-8-sig").replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            raise SpecError(f"{path}: {blame_text(error)}") from None
        if DOTTED.search(text):
            raise SpecError(f"{path}: has a key of {DEEPEST} parts or more; {EXAMPLE}")
        return tomllib.loads(text)


def parse_table(kind: type[T], table: Mapping[str, Any], place: str) -> T:
    """Return a parsed TOML table as a spec of class `kind`; `place` begins the message of a refusal.

    Raises
    ------
    SpecError
        With a line for each of the first wrong values.
    """
    refused = list(islice(_refusals(table, ()), SHOWN))
    if refused:
        raise SpecError("\n".join(f"{place}: {text}" for text in refused))
    try:
        return kind.model_validate(table)
    except ValidationError as error:
        errors = error.errors()
        unknown = [e for e in errors if e["type"] == "extra_forbidden"]  # a misspelt key is a missing one as well
        raise SpecError(_message(unknown or errors, kind, place)) from None


def _refusals(value: Any, loc: Place) -> Iterator[str]:
    """Yield what no spec may hold, whatever it is the value of."""
    if isinstance(value, Mapping | list | tuple):
        yield from _refusals_within(value, loc)
    elif (fault := _fault(value)) is not None:
        yield f"{_place(loc)}: {fault}"
    elif _is_secret(value, loc):
        yield f"{_place(loc)}: {WAY_OUT}"


def _refusals_within(values: Any, loc: Place) -> Iterator[str]:
    if len(loc) == DEEPEST:
        yield f"{_place(loc[:2])}: is nested more than {DEEPEST} levels deep; {EXAMPLE}"
        return
    for key, value in values.items() if isinstance(values, Mapping) else enumerate(values):
        if isinstance(key, str) and not (len(key) <= LONGEST_KEY and key.isprintable()):
            way_out = f"write at most {LONGEST_KEY} printable characters"
            yield f"{_place(loc)}{':' * bool(loc)} the key {shorten_value(key)} cannot be read; {way_out}".lstrip()
        else:
            yield from _refusals(value, (*loc, key))


def _is_secret(value: Any, loc: Place) -> bool:
    is_named_by_user = loc[-2:-1] in {("options",), ("env",)}
    return (is_named_by_user and is_secret_name(str(loc[-1]))) or (isinstance(value, str) and is_secret_value(value))


def _fault(value: Any) -> str | None:
    match value:
        case str() if len(value) > LONGEST_TEXT:
            return f"{shorten_value(value)} has {len(value)} characters; write at most {LONGEST_TEXT}"
        case str() if not value.isprintable():
            return f"{shorten_value(value)} holds characters that cannot be printed; remove them"
        case int() if not -WORD <= value < WORD:
            return f"{shorten_value(value)} does not fit into 64 bits; write a smaller number"
        case str() | int() | float() | None:
            return None
    return f"{shorten_value(value)} is a {type(value).__name__}, which no key takes; write a number or a text"


def _message(errors: list[Any], kind: type[SpecTable], place: str) -> str:
    lines = [f"{place}: {_text(error, kind)}" for error in errors[:SHOWN]]
    more = [f"{place}: {len(errors) - SHOWN} more values are wrong; correct these first"]
    return "\n".join([*lines, *more * (len(errors) > SHOWN)])


def _text(error: Mapping[str, Any], kind: type[SpecTable]) -> str:
    place = _place(error["loc"])
    text = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        return f"{place}: unknown key; {closest(str(error['loc'][-1]), _keys(kind, error['loc'][:-1]))}"
    if error["type"] in {"model_type", "dict_type"}:
        return f"{place}: expected a table, got {shorten_value(error['input'])}"
    if error["type"] == "missing":
        return f"{place}: is missing; add it as in the spec that `srd-audit init` writes"
    if error["type"] == "value_error":
        return f"{place}: {text}" if place else text
    return f"{place}: {text}, got {shorten_value(error['input'])}"


def _place(loc: Place) -> str:
    """Return the place of a value in the file, counted as a reader counts."""
    parts = [part if len(part) <= LONG_PLACE else f"{part[:LONG_PLACE]}..." for part in map(str, loc)]
    if loc[:1] in LISTS and len(loc) > 1 and isinstance(loc[1], int):
        return " ".join([f"[[{loc[0]}]] number {loc[1] + 1}", ".".join(parts[2:])]).rstrip()
    return ".".join(parts)


def _keys(kind: Any, loc: Place) -> list[str]:
    """Return the keys that the table at `loc` may have."""
    for part in loc:
        kind = kind.model_fields[part].annotation if _is_table(kind) else next(filter(_is_table, get_args(kind)))
    return list(kind.model_fields)


def _is_table(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, SpecTable)
