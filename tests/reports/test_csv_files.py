"""CSV files that a spreadsheet opens compute nothing."""

import csv
from io import StringIO

import pandas as pd
import pytest

from reports.csv_files import csv_file


def rows_of(frame: pd.DataFrame) -> list[list[str]]:
    return list(csv.reader(StringIO(csv_file(frame).decode())))


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "-", "-1.5"])
def test_a_text_that_looks_like_a_formula_is_quoted(text: str) -> None:
    assert rows_of(pd.DataFrame({"class": [text], text: ["tench"]})) == [["class", f"'{text}"], [f"'{text}", "tench"]]


def test_numbers_and_other_texts_stay_as_they_are() -> None:
    frame = pd.DataFrame({"value": [-1.5, 2.0], "count": [-1, 2], "class": ["a-b", "x = y"], "none": [None, ""]})
    assert rows_of(frame)[1:] == [["-1.5", "-1", "a-b", ""], ["2.0", "2", "x = y", ""]]


def test_numbers_keep_all_their_digits() -> None:
    value = -0.1 - 0.2
    ((text,),) = rows_of(pd.DataFrame({"value": [value]}))[1:]
    assert float(text) == value
