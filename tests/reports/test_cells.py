"""Tables in parts that fit on paper."""

import pytest

from reports.cells import COLUMNS, Cell, Table


@pytest.mark.parametrize("columns", [0, 1, 6, 7, 13, 40])
def test_parts_are_narrow_and_hold_every_column_once_beside_the_headings(columns: int) -> None:
    names = [f"column {number}" for number in range(columns)]
    table = Table("What.", ("row", *names), ((Cell("first"), *map(Cell, names)), (Cell("second"), *map(Cell, names))))
    parts = table.parts()
    assert [name for part in parts for name in part.header[1:]] == names
    assert all(len(part.header) <= 1 + COLUMNS for part in parts)
    assert max(len(part.header) for part in parts) - min(len(part.header) for part in parts) <= 1
    for part in parts:
        assert [row[0].text for row in part.rows] == ["first", "second"]
        assert all(tuple(cell.text for cell in row[1:]) == part.header[1:] for row in part.rows)


def test_a_narrow_table_is_one_part_and_those_of_a_wide_one_say_so() -> None:
    narrow, wide = (Table("What.", ("row", *["column"] * count), ()) for count in (6, 7))
    assert narrow.parts() == (narrow,)
    assert [part.caption for part in wide.parts()] == ["What. (Part 1 of 2.)", "What. (Part 2 of 2.)"]
