"""The values that a spec may hold: tables with known keys, strengths, sizes, options."""

import math
import re
from collections.abc import Iterable
from difflib import get_close_matches
from fractions import Fraction
from reprlib import Repr
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_serializer

from attacks.entries import PerturbationEntry, Scale
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


class _ShortRepr(Repr):
    """The representation of a value of a refusal: short, even for what Python refuses to write in digits."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 80
        self.maxlist = self.maxtuple = self.maxdict = self.maxlevel = 4

    def repr_int(self, x: int, level: int) -> str:
        return repr(x) if abs(x).bit_length() <= 64 else f"an integer of {abs(x).bit_length()} bits"


shorten_value = _ShortRepr().repr
"""Return a value as text of a refusal, shortened."""

MANY = 20  # names worth listing: a data set may have a thousand classes
LONG = 100  # characters of a name: the search for a near one takes time that grows with its square
LARGEST = 4096  # pixels of a side
MOST = 1000  # values of a list
NUMBER = re.compile(r"[+-]?(\d+(/\d+)?|(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?)", re.ASCII | re.IGNORECASE)
LONGEST_NUMBER = 40  # characters

NO_STRENGTH = Strength(value=0.0, text="")
"""The strength of a perturbation that has none to choose."""


def _parse_strength(given: Any) -> Any:
    if isinstance(given, Strength):
        return given
    text = str(given) if isinstance(given, (str, int, float)) else ""
    try:
        if len(text) > LONGEST_NUMBER or not NUMBER.fullmatch(text):
            raise ValueError
        return Strength(value=float(Fraction(text)), text=text)
    except (ValueError, ZeroDivisionError, OverflowError):
        raise ValueError(f'{shorten_value(given)} is not a number; write 0.03 or "8/255"') from None


def as_tuple(given: Any) -> Any:
    if not isinstance(given, (list, tuple)):
        raise ValueError(f"expected a list, got {shorten_value(given)}")
    if len(given) > MOST:
        raise ValueError(f"{len(given)} values, more than the {MOST} that a list may have; write fewer")
    return tuple(given)


class ExactSize(SpecTable):
    """The height and width to which an image is stretched."""

    height: Annotated[int, Field(ge=1, le=LARGEST)]
    width: Annotated[int, Field(ge=1, le=LARGEST)]


def _parse_size(given: Any) -> Any:
    if isinstance(given, ExactSize):
        return given
    if isinstance(given, dict):
        return _parse_exact_size(given)
    sizes = given if isinstance(given, (list, tuple)) else [given, given]
    if len(sizes) != 2 or any(type(size) is not int for size in sizes) or not 0 < sizes[1] <= sizes[0]:
        raise ValueError(f"{shorten_value(given)} is no size; write 224, or [256, 224] to cut 224 out of 256")
    if sizes[0] > LARGEST:
        raise ValueError(f"{shorten_value(given)} is more than {LARGEST} pixels a side; write a smaller size")
    return given if isinstance(given, int) else tuple(given)


def _parse_exact_size(given: dict[str, Any]) -> ExactSize:
    sides = [given.get("height"), given.get("width")]
    if given.keys() != {"height", "width"} or any(type(side) is not int or not 0 < side <= LARGEST for side in sides):
        raise ValueError(f"{shorten_value(given)} is no size; write {{ height = 128, width = 64 }}, at most {LARGEST}")
    return ExactSize(height=given["height"], width=given["width"])


def _parse_crop(given: Any) -> Any:
    if given == "none":
        return given
    sizes = given if isinstance(given, (list, tuple)) else [given, given]
    if len(sizes) != 2 or any(type(size) is not int or not 0 < size <= LARGEST for size in sizes):
        raise ValueError(
            f"{shorten_value(given)} is no size of a cut; write 224, [height, width] of at most {LARGEST}, or 'none'"
        )
    return given if isinstance(given, int) else tuple(given)


def _check_option(given: Any) -> Any:
    if not isinstance(given, (bool, int, float, str)):
        raise ValueError(f"{shorten_value(given)} is not a number, a text or a boolean")
    return given


def _check_argument(given: Any) -> Any:
    if isinstance(given, list):
        return [_check_argument(value) for value in given]
    if not isinstance(given, (bool, int, float, str)) or (isinstance(given, float) and not math.isfinite(given)):
        raise ValueError(f"{shorten_value(given)} is no argument; write a finite number, a text, a boolean or a list")
    return given


def _refuse_empty(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty; write a name or a path, or remove the key")
    return text


OptionValue = Annotated[bool | int | float | str, BeforeValidator(_check_option)]
Options = dict[str, OptionValue]
Arguments = dict[str, Annotated[Any, BeforeValidator(_check_argument)]]
"""Keyword arguments of a callable: plain values, and lists of these."""
Text = Annotated[str, AfterValidator(_refuse_empty)]
"""A name or a path, which is not empty."""
Floats = Annotated[tuple[Annotated[float, Field(allow_inf_nan=False)], ...], BeforeValidator(as_tuple)]
Names = Annotated[tuple[Text, ...], BeforeValidator(as_tuple)]
Resize = Annotated[tuple[int, int] | ExactSize | int, BeforeValidator(_parse_size)]
Crop = Annotated[tuple[int, int] | Literal["none"] | int, BeforeValidator(_parse_crop)]
Interpolation = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
Strengths = Annotated[tuple[Annotated[Strength, BeforeValidator(_parse_strength)], ...], BeforeValidator(as_tuple)]


def closest(name: str, known: Iterable[str]) -> str:
    """Return the way out for a misspelt name: the closest known name, or the known names."""
    known = [each if len(each) <= LONG else f"{each[:LONG]}..." for each in known]
    if not known:
        return "there is none to name; remove it"
    near = get_close_matches(name[:LONG], known, 1)
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
            way_out = _strength_in_range(scale, strength.value)
            raise ValueError(f"{place}: {scale.name} = {strength.text} is not in (0, {scale.most:g}]; write {way_out}")
        if scale.whole and not strength.value.is_integer():
            raise ValueError(f"{place}: {scale.name} = {strength.text} is no whole number; write {scale.example}")


def _strength_in_range(scale: Scale, value: float) -> str:
    """Return what to write in place of a strength that is out of range."""
    if scale.most == 1 and 1 < value <= 255:
        text = f"{value:g}/255" if value.is_integer() else f"{value / 255:.4g}"
        return f'"{text}" if you count in 0 to 255'
    return f"one that is, such as {scale.example}"


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
            raise ValueError(f"{place}: no option is called {shorten_value(name)}; {closest(name, entry.options)}")
        kind = type(entry.options[name])
        if type(value) is not kind and not (kind is float and type(value) is int):
            raise ValueError(f"{place}.{name}: expected {kind.__name__}, got {shorten_value(value)}")
        if value not in entry.choices.get(name, (value,)):
            raise ValueError(f"{place}.{name}: {shorten_value(value)} is none of {', '.join(entry.choices[name])}")
        least = 1 if kind is int else 0
        if isinstance(value, (int, float)) and not least <= value < math.inf:
            raise ValueError(f"{place}.{name}: must be finite and at least {least}, got {shorten_value(value)}")
