"""Ways out for misspelt names are short, whatever the known names are."""

import pytest

from pipeline.spec.values import LONG, MANY, closest


@pytest.mark.parametrize("known", [["a" * 100_000], ["b" * 100_000] * 1000, ["a" * (LONG + 1), "b"]])
def test_the_way_out_is_short_however_long_the_known_names_are(known: list[str]) -> None:
    for name in ("a" * 100_000, "zzz", ""):
        assert len(closest(name, known)) < (MANY + 2) * (LONG + len("..., "))


def test_a_name_of_the_greatest_length_is_shown_whole() -> None:
    assert closest("a" * (LONG - 1), ["a" * LONG]) == f"did you mean {'a' * LONG!r}?"
