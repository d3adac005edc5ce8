"""What a spec may hold: tables with known keys, strengths, sizes, options."""

from fractions import Fraction
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_serializer


class Part(BaseModel):
    """A table of the spec: frozen, every key known."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Strength(Part):
    """A radius, a standard deviation: its value and the way it was written."""

    value: float
    text: str

    @model_serializer
    def _as_written(self) -> str:
        return self.text


NO_STRENGTH = Strength(value=0.0, text="")
"""Of a perturbation that has none to choose."""


def _strength(given: Any) -> Any:
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


def _resize(given: Any) -> Any:
    sizes = given if isinstance(given, (list, tuple)) else [given, given]
    if len(sizes) != 2 or any(type(size) is not int for size in sizes) or not 0 < sizes[1] <= sizes[0]:
        raise ValueError(f"{given!r} is no size; write 224, or [256, 224] to cut 224 out of 256")
    return given if isinstance(given, int) else tuple(given)


def _option(given: Any) -> Any:
    if not isinstance(given, (bool, int, float, str)):
        raise ValueError(f"{given!r} is not a number, a text or a boolean")
    return given


Option = Annotated[bool | int | float | str, BeforeValidator(_option)]
Floats = Annotated[tuple[float, ...], BeforeValidator(as_tuple)]
Names = Annotated[tuple[str, ...], BeforeValidator(as_tuple)]
Size = Annotated[tuple[int, int] | int, BeforeValidator(_resize)]
Strengths = Annotated[tuple[Annotated[Strength, BeforeValidator(_strength)], ...], BeforeValidator(as_tuple)]
