"""Tables in docs that tests measure: how numbers are written, and when a table is out of date."""

import math
import re
from pathlib import Path

import pytest

NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")


def decade(error: float, rounding: float) -> str:
    """Return the power of ten that bounds an error, but not below what is only rounding."""
    return f"<= 1e{math.ceil(math.log10(max(error, rounding)))}"


def agree(old: str, new: str) -> bool:
    """Return whether two texts agree: errors, which have an exponent, to a factor of ten, all else to rounding."""
    a, b = float(old), float(new)
    if "e" in old:
        return max(a, b) <= 11 * min(a, b)
    return math.isclose(a, b, rel_tol=0.1, abs_tol=0.02)


def same_but_for_rounding(old: str, new: str) -> bool:
    return NUMBER.sub("#", old) == NUMBER.sub("#", new) and all(map(agree, NUMBER.findall(old), NUMBER.findall(new)))


def hold(path: Path, table: str) -> None:
    """Compare a table with its file; if the file says something else, write the table and fail."""
    if not (path.exists() and same_but_for_rounding(path.read_text(), table)):
        path.write_text(table)
        pytest.fail(f"{path.name} was out of date; it has been written anew from this run: look at it and commit it")
