"""What a section of the page is: its place, and all that it adds to the result, the page, the summary and the files."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import pandas as pd

from reports.audit.readings import Readings
from reports.cells import Table
from reports.marks import Picture

Read = TypeVar("Read", contravariant=True)  # noqa: PLC0105  a word, as the fields read
Fields = Mapping[str, object]
"""Fields of the result, by name."""
Pictures = Mapping[str, Picture]
"""The figures that were drawn, by name."""


def _nothing(*_: object) -> dict[str, object]:
    return {}


def _no_frames(_: object) -> dict[str, pd.DataFrame]:
    return {}


def _none(_: object) -> tuple[()]:
    return ()


@dataclass(frozen=True)
class Section(Generic[Read]):
    """A section of the page; `Read` is what it reads of the result."""

    id: str
    """Its anchor."""
    title: str
    """In the navigation."""
    heading: str
    body: Callable[[Read, Pictures], Mapping[str, object]] = _nothing
    """What its template is filled with beside the result: of the usual one `paragraphs`, `exhibits` and `items`."""
    template: str = "section"
    """Of a section that is not paragraphs, figures with tables, and a list."""
    numbers: Callable[[Readings, Read], Fields] = _nothing
    """What it measures; it may read what the sections before it have measured."""
    sentences: Callable[[Read], Fields] = _nothing
    """Fields made from all the numbers."""
    frames: Callable[[Read], Mapping[str, pd.DataFrame]] = _no_frames
    """Its CSV files, by name."""
    figures: Callable[[Read], Iterable[Picture]] = _none
    """Those without any number are left out."""
    headlines: Callable[[Read], Iterable[Table]] = _none
    """Its tables in the summary."""
