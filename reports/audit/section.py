"""The type of a section: its place, and what it adds to the result, the page, the summary and the files."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import pandas as pd

from reports.audit.readings import Readings
from reports.cells import Table
from reports.plot_primitives import Picture

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
    """A section of the page. `Read` is the type of the fields that it reads."""

    id: str
    """Anchor of the section."""
    title: str
    """Title in the navigation."""
    heading: str
    body: Callable[[Read, Pictures], Mapping[str, object]] = _nothing
    """Variables of its template beside the result. The usual one has `paragraphs`, `exhibits` and `items`."""
    template: str = "section"
    """Template. The usual one has paragraphs, figures with tables, and a list."""
    numbers: Callable[[Readings, Read], Fields] = _nothing
    """Fields that it measures. It may read those of the sections before it."""
    sentences: Callable[[Read], Fields] = _nothing
    """Fields made from the numbers of all sections."""
    frames: Callable[[Read], Mapping[str, pd.DataFrame]] = _no_frames
    """Name of a CSV file -> its frame."""
    figures: Callable[[Read], Iterable[Picture]] = _none
    """Its figures. Those without any number are left out."""
    summary_tables: Callable[[Read], Iterable[Table]] = _none
    """Its tables in the summary."""
