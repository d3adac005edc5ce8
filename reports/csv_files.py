"""Frames as CSV files, whose texts no spreadsheet takes for a formula."""

import pandas as pd

FORMULA = ("=", "+", "-", "@", "\t")
"""What a cell begins with that a spreadsheet computes."""


def csv_file(frame: pd.DataFrame) -> bytes:
    """Return a frame as CSV. A text that a spreadsheet would compute begins with an apostrophe; numbers stay."""
    quoted = frame.rename(columns=_quote).map(_quote)
    return quoted.to_csv(index=False, lineterminator="\n").encode()


def _quote(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
