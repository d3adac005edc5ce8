"""When a table in docs is out of date."""

import pytest
from measured_table import same_but_for_rounding


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("| A | <= 1e-7 | 1.4 % | 0.82 | yes |", "| A | <= 1e-6 | 1.5 % | 0.83 | yes |", True),
        ("| A | <= 1e-7 | 1.4 % | 0.82 | yes |", "| A | <= 1e-5 | 1.4 % | 0.82 | yes |", False),
        ("| A | <= 1e-7 | 1.4 % | 0.82 | yes |", "| A | <= 1e-7 | 2.4 % | 0.82 | yes |", False),
        ("| A | <= 1e-7 | 1.4 % | 0.82 | yes |", "| A | <= 1e-7 | 1.4 % | 0.72 | yes |", False),
        ("| A | <= 1e-7 | 1.4 % | 0.82 | yes |", "| A | <= 1e-7 | 1.4 % | -0.82 | yes |", False),
        ("| A | <= 1e-7 | 1.4 % | 0.82 | yes |", "| A | <= 1e-7 | 1.4 % | 0.82 | no |", False),
        ("| A | <= 1e-7 | 1.4 % | 0.82 | yes |", "| A | <= 1e-7 | < 0.01 % | 0.82 | yes |", False),
    ],
)
def test_a_table_is_out_of_date_when_more_than_rounding_differs(old: str, new: str, same: bool) -> None:
    assert same_but_for_rounding(old, new) == same
