"""Pages of measured figures: what of them holds on any machine."""

import pytest
from measured_table import ORIGIN, decade, frame, origin, row

TABLE = "A page.\n\n{origin}\n\n| a | b | c |\n|---|---|---|\n"
PAGE = TABLE.format(origin=origin("torch")) + row("x", "1", "2") + "\nThe end.\n"
ELSEWHERE = "Measured on a PDP-11 (AVX2), 1975-01-01, Python 3.11.2,\ntorch 2.13.0+cpu."


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("x | 1 | 2", "x | 1 | 3", True),
        (origin("torch"), ELSEWHERE, True),
        ("x | 1 | 2", "x | 1 | 2 | 3", False),
        ("x | 1 | 2", "x | 2 | 2", False),
        ("x | 1 | 2", "y | 1 | 2", False),
        ("a | b | c", "a | b | d", False),
        ("The end.", "No end.", False),
        (origin("torch"), "Measured somewhere.", False),
    ],
)
def test_a_page_is_another_when_more_than_figures_and_origin_differ(old: str, new: str, same: bool) -> None:
    assert old in PAGE
    assert (frame(PAGE, 2) == frame(PAGE.replace(old, new), 2)) == same


def test_an_origin_says_where_when_and_with_what() -> None:
    assert ORIGIN.fullmatch(origin("torch", "torchvision"))


@pytest.mark.parametrize(("error", "text"), [(3e-5, "<= 1e-4"), (2e-9, "<= 1e-6"), (1e-3, "<= 1e-3")])
def test_a_decade_bounds_the_error_but_says_nothing_below_rounding(error: float, text: str) -> None:
    assert decade(error, 1e-6) == text
