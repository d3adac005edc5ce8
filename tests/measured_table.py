"""Pages of measured figures in docs: how they are written, and what of them holds on any machine.

`make docs` writes them. A test compares no figure with what its own machine measures: laws are tests of their own.
"""

import math
import platform
import re
import textwrap
from collections.abc import Iterator
from datetime import date
from importlib.metadata import version
from pathlib import Path

import torch

from benchmarks.measuring import processor
from srd.precision import multiplies_in_bfloat16

DOCS = Path(__file__).parents[1] / "docs"
ORIGIN = re.compile(r"^Measured on [^|]+?, \d{4}-\d\d-\d\d, Python \d+\.\d+\.\d+(,\s[\w-]+\s[\w.+]+)+\.$", re.MULTILINE)


def decade(error: float, rounding: float) -> str:
    """Return the power of ten that bounds an error, but not below what is only rounding."""
    return f"<= 1e{math.ceil(math.log10(max(error, rounding)))}"


def origin(*packages: str) -> str:
    """Where, when and with which versions what follows is measured."""
    versions = [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in packages)]
    return textwrap.fill(
        f"Measured on {machine_class()}, {date.today()}, {', '.join(versions)}.", 120, break_on_hyphens=False
    )


def machine_class() -> str:
    bfloat16 = ", bfloat16" * multiplies_in_bfloat16(torch.device("cpu"))
    return f"{processor()} ({torch.backends.cpu.get_cpu_capability()}{bfloat16})"


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"


def frame(page: str, named: int) -> list[str]:
    """The lines of a page without what a machine measures: its origin, and cells of a row after the first `named`."""
    lines = ORIGIN.sub("(origin)", page).splitlines()
    table = next(number for number, line in enumerate(lines) if line.startswith("|---")) + 1
    return [*lines[:table], *_without_figures(lines[table:], named)]


def _without_figures(lines: list[str], named: int) -> Iterator[str]:
    for line in lines:
        cells = line.split(" | ")
        yield f"{' | '.join(cells[:named])} and {len(cells) - named} more" if line.startswith("|") else line
