"""The values that a spec may hold: tables with known keys, strengths, sizes, options."""

import math
from collections.abc import Iterable
from difflib import get_close_matches
from fractions import Fraction
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_serializer

from attacks.entries import PerturbationEntry
from srd.entries import Entry


class SpecTable(BaseModel):
    """A frozen table of a spec, all keys of which are known."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Strength(SpecTable):
    """A strength, such as a radius or a standard deviation: its value, and the text that the user wrote."""

    value: float
    text: str

    @model_serializer
    def _text(self) -> str:
        return self.text


MANY = 20  # names worth listing: a data set may have a thousand classes

NO_STRENGTH = Strength(value=0.0, text="")
"""The strength of a perturbation that has none to choose."""


def _parse_strength(given: Any) -> Any:
    if isinstance(given, Strength):
        return given
    try:
        return Strength(value=float(Fraction(str(given))), text=str(given))
    except (ValueError, ZeroDivisionError, OverflowError):
        raise ValueError(f'{given!r} is not a number; write 0.03 or "8/255"') from None


def as_tuple(given: Any) -> Any:
    if not isinstance(given, (list, tuple)):
        raise ValueError(f"expected a list, got {given!r}")
    return tuple(given)


def _parse_size(given: Any) -> Any:
    sizes = given if isinstance(given, (list, tuple)) else [given, given]
    if len(sizes) != 2 or any(type(size) is not int for size in sizes) or not 0 < sizes[1] <= sizes[0]:
        raise ValueError(f"{given!r} is no size; write 224, or [256, 224] to cut 224 out of 256")
    return given if isinstance(given, int) else tuple(given)


def _check_option(given: Any) -> Any:
    if not isinstance(given, (bool, int, float, str)):
        raise ValueError(f"{given!r} is not a number, a text or a boolean")
    return given


OptionValue = Annotated[bool | int | float | str, BeforeValidator(_check_option)]
Options = dict[str, OptionValue]
Floats = Annotated[tuple[float, ...], BeforeValidator(as_tuple)]
Names = Annotated[tuple[str, ...], BeforeValidator(as_tuple)]
Resize = Annotated[tuple[int, int] | int, BeforeValidator(_parse_size)]
Strengths = Annotated[tuple[Annotated[Strength, BeforeValidator(_parse_strength)], ...], BeforeValidator(as_tuple)]


def closest(name: str, known: Iterable[str]) -> str:
    """Return the way out for a misspelt name: the closest known name, or the known names."""
    known = list(known)
    near = get_close_matches(name, known, 1)
    shown = [*known[:MANY], *["..."] * (len(known) > MANY)]
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(shown)}"


def check_strengths(place: str, entry: PerturbationEntry, strengths: tuple[Strength, ...]) -> None:
    """Check the strengths of a perturbation.

    Raises
    ------
    ValueError
        With `place` and the way out, for strengths that the entry does not have.
    """
    scale = entry.strength
    if scale is None:
        if strengths:
            raise ValueError(f"{place}: has no strength to choose; remove strengths")
        return
    if not strengths:
        raise ValueError(f"{place}: strengths is empty; name at least one {scale.name}, such as {scale.example}")
    for strength in strengths:
        if not 0 < strength.value <= scale.most:
            way_out = f'; write "{strength.text}/255" if you count in 0 to 255' if scale.most == 1 else ""
            raise ValueError(f"{place}: {scale.name} = {strength.text} is not in (0, {scale.most:g}]{way_out}")
        if scale.whole and not strength.value.is_integer():
            raise ValueError(f"{place}: {scale.name} = {strength.text} is no whole number; write {scale.example}")


def check_bits(place: str, entry: PerturbationEntry, options: Options, strengths: tuple[Strength, ...]) -> None:
    """Check that eight bits leave something of the smallest strength.

    Raises
    ------
    ValueError
        If they leave nothing.
    """
    least = min((strength.value for strength in strengths), default=1.0)
    if options.get("eight_bits") and entry.norm == "L-inf" and least < 1 / 255:
        raise ValueError(f"{place}: eight_bits leaves nothing of an epsilon below 1/255; remove one of the two")


def check_options(place: str, entry: Entry, options: Options) -> None:
    """Check the options of a method or perturbation.

    Raises
    ------
    ValueError
        With `place` and the way out, for options that the entry does not have.
    """
    for name, value in options.items():
        if name not in entry.options:
            raise ValueError(f"{place}: no option is called {name!r}; {closest(name, entry.options)}")
        kind = type(entry.options[name])
        if type(value) is not kind and not (kind is float and type(value) is int):
            raise ValueError(f"{place}.{name}: expected {kind.__name__}, got {value!r}")
        if value not in entry.choices.get(name, (value,)):
            raise ValueError(f"{place}.{name}: {value!r} is none of {', '.join(entry.choices[name])}")
        least = 1 if kind is int else 0
        if isinstance(value, (int, float)) and not least <= value < math.inf:
            raise ValueError(f"{place}.{name}: must be finite and at least {least}, got {value!r}")
