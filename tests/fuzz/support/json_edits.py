"""Edits of the values of JSON and TOML: another type, huge or deep values, keys removed, added and exchanged."""

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hypothesis import strategies as st

Place = tuple[Any, ...]
DEEP = 30
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63 - 1, 2**64, 10**30, -(10**30), 0.5, 1e308, -1e-308, float("nan"),
    float("inf"), "", "a", "0", "\x00", "\x1b[2J", "\u202e", "é" * 300, "a" * 5000, "../../..", "/etc/passwd", "f" * 64,
    [], {}, [[]], [0, 0], [1, 2, 3], ["a", 1], {"a": 1}, {"": ""}, ["a"] * 2000, "1/0", "8/255", "demo:vgg", "srd",
)  # fmt: skip
KEYS = (
    "",
    "a",
    "name",
    "options",
    "steps",
    "__class__",
    "a" * 300,
    "\x1b",
    "é",
    "0",
    "sha256",
    "format",
    "spec",
    "node_type",
)


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """Yield the place of every value within a value."""
    yield at
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[key], (*at, key))


def deepened(value: Any) -> Any:
    for _ in range(DEEP):
        value = {"a": [value]}
    return value


def _replace(draw: st.DrawFn, holder: Any, key: Any) -> None:
    holder[key] = copy.deepcopy(draw(st.sampled_from(VALUES)))


def _remove(draw: st.DrawFn, holder: Any, key: Any) -> None:
    del holder[key]


def _add(draw: st.DrawFn, holder: Any, key: Any) -> None:
    if isinstance(holder, dict):
        holder[draw(st.sampled_from(KEYS))] = copy.deepcopy(draw(st.sampled_from([holder[key], *VALUES])))
    else:
        holder.insert(0, copy.deepcopy(draw(st.sampled_from([holder[key], *VALUES]))))


def _deepen(draw: st.DrawFn, holder: Any, key: Any) -> None:
    holder[key] = deepened(holder[key])


def _repeat(draw: st.DrawFn, holder: Any, key: Any) -> None:
    holder[key] = [copy.deepcopy(holder[key]) for _ in range(draw(st.sampled_from([2, 100])))]


def _change(draw: st.DrawFn, holder: Any, key: Any) -> None:
    """Change a value a little, within its type."""
    value = holder[key]
    match value:
        case bool():
            holder[key] = not value
        case int() | float():
            holder[key] = draw(st.sampled_from([value + 1, value - 1, -value, value * 1000, float(value)]))
        case str():
            holder[key] = draw(st.sampled_from([value + "a", value[1:], value.upper(), f" {value}", value * 2]))
        case list():
            value.reverse()
        case _:
            _add(draw, holder, key)


EDITS: Mapping[str, Callable[[st.DrawFn, Any, Any], None]] = {
    "value replaced": _replace,
    "key removed": _remove,
    "key added": _add,
    "value nested": _deepen,
    "value repeated": _repeat,
    "value changed": _change,
}


@st.composite
def edited_value(draw: st.DrawFn, original: Any) -> Any:
    """Return a value with one or a few edits."""
    value = {"": copy.deepcopy(original)}
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from([each for each in places(value) if each] or [("",)]))
        value.setdefault("", {})
        holder: Any = value
        for key in place[:-1]:
            holder = holder[key]
        EDITS[draw(st.sampled_from(sorted(EDITS)))](draw, holder, place[-1])
    return value.get("", {})


TEXTS = (
    "", " ", "null", "[" * 100_000, "[" * 900 + "]" * 900, '{"a":' * 100_000, "1" * 5000, "-", "NaN", '"\\ud800"',
    "\x00", '"' + "a" * 100_000 + '"', "{}", "[]", '{"a":1,"a":2}', "1e999", "\ufeff[]", "'a'", "[1,]", "// a\n[]",
)  # fmt: skip


@st.composite
def edited_json(draw: st.DrawFn, original: Any) -> bytes:
    """Return the JSON of a value with edits, or a text that is none or is extreme."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from(TEXTS)).encode("utf-8", "surrogatepass")
    return json.dumps(draw(edited_value(original)), ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
