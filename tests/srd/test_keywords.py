"""Options are keywords to a caller and one frozen object to the function."""

import inspect
from dataclasses import dataclass, field

import pytest

from srd.keywords import takes


@dataclass(frozen=True, kw_only=True)
class Options:
    width: int = 3
    height: int = 4
    name: str


@dataclass(frozen=True, kw_only=True)
class Narrow(Options):
    width: int = field(init=False)


@takes(Options)
def described(options: Options, first: str, second: str, third: str) -> str:
    """Return all that was given."""
    return f"{first}{second}{third} {options.name} {options.width}x{options.height}"


@takes(Narrow)
def narrow(options: Narrow, first: str, second: str, third: str) -> str:
    return f"{options.width}x{options.height}"


def test_keywords_become_options_and_all_else_is_handed_on() -> None:
    assert described("a", "b", "c", name="n") == "abc n 3x4"
    assert described("a", "b", third="c", name="n", height=5) == "abc n 3x5"  # type: ignore[call-arg]


def test_an_option_that_is_left_out_keeps_its_default() -> None:
    assert narrow("a", "b", "c", name="n", height=1) == "3x1"
    with pytest.raises(TypeError, match=r"narrow\(\) got an unexpected keyword argument 'width'"):
        narrow("a", "b", "c", name="n", width=1)  # type: ignore[call-arg]


def test_what_is_unknown_or_missing_is_refused() -> None:
    with pytest.raises(TypeError, match=r"described\(\) got an unexpected keyword argument 'depth'"):
        described("a", "b", "c", name="n", depth=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'name'"):
        described("a", "b", "c")  # type: ignore[call-arg]


def test_the_signature_shows_keywords_and_defaults() -> None:
    assert str(inspect.signature(described)) == (
        "(first: str, second: str, third: str, *, width: int = 3, height: int = 4, name: str) -> str"
    )
    assert described.__doc__ == "Return all that was given."
