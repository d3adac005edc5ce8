"""The report of a run: audit.json, summary.md and a folder of pages that opens from a disk."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.machine.phases import Phase, Tell, tell_nobody
from pipeline.machine.writing import File, remove_folders, write_files
from pipeline.store.location import Location
from pipeline.store.results import open_results
from pipeline.store.runs import SPEC_COPY, location_of
from reports.audit import maps, one_file, viewed_images
from reports.audit.page import frames, html, markdown, pictures
from reports.audit.panels import FOLDER
from reports.audit.randomisation import gallery
from reports.audit.readings import Readings
from reports.audit.result_file import RESULT, add_digest
from reports.audit.run_record import record_of
from reports.audit.sections import SECTIONS, AuditResult
from reports.audit.summarise import summarise
from reports.csv_files import csv_file
from reports.page import STYLE, style_sheet
from reports.plot_primitives import Picture
from reports.runs import CONCEPTS, PAGE, REPORT

SUMMARY = "summary.md"
SCHEMA = "data/audit.schema.json"
GENERATED = tuple(f"{REPORT}/{name}" for name in ("figures", FOLDER, "data", viewed_images.FOLDER))
"""The folders that a report generates as a whole."""


Draw = Callable[[AuditResult, Callable[[], object]], Callable[[], tuple[Picture, ...]]]
"""Begins to draw a result's figures, with a call before those of each section; gives the call that returns them."""


def draw_here(result: AuditResult, advance: Callable[[], object]) -> Callable[[], tuple[Picture, ...]]:
    """Draw the figures of a result at once, and return the call that returns them."""
    drawn = tuple(pictures(result, advance))
    return lambda: drawn


def write_report(folder: Path, tell: Tell = tell_nobody, draw: Draw = draw_here) -> Path:
    """Write the report of an audit into its folder, and return the path of its page.

    One store, with the same layers that have a page, gives the same bytes each time, whoever draws.

    Raises
    ------
    StoreError
        If there is no store, it is damaged, or a link is where a file of the report goes.
    """
    return _write_all(folder, location_of(folder), _Progress(tell), draw)


@dataclass
class _Progress:
    """The share of a report that is written: the numbers and figures of each section, and last the maps."""

    tell: Tell
    steps: int = 0

    def advance(self) -> None:
        """Tell the share that is written before the next step."""
        self.tell(Phase("writing report", f"{100 * self.steps // (2 * len(SECTIONS) + 1)} %"))
        self.steps += 1


def _write_all(folder: Path, store: Location, progress: _Progress, draw: Draw) -> Path:
    progress.tell(Phase("reading the store"))
    readings = Readings(open_results(store))
    result = summarise(readings, record_of(folder, store), advance=progress.advance)
    figures = draw(result, progress.advance)
    progress.advance()
    sheets = dict(_sheets(readings, result))
    shown = [*_parts(readings, result), *sheets.items()]
    drawn = figures()
    shown += ((picture.file, picture.svg) for picture in drawn)
    parts = [(f"{REPORT}/{name}", content) for name, content in shown]
    remove_folders(folder, GENERATED)  # once all that is drawn was read: it may be damaged
    write_files(folder, parts)
    write_files(folder, _texts(result, drawn, _layers(folder / REPORT)))
    write_files(folder, [(one_file.NAME, one_file.mailed_page(result, drawn, sheets).encode())])
    return folder / PAGE


def _sheets(readings: Readings, result: AuditResult) -> Iterator[File]:
    """Yield the sheets of maps that the page shows."""
    yield from maps.drawings(readings, result.cases, result.overview)
    yield from gallery.drawings(readings, result.redrawn_rows, result.redrawn_sheet)


def _parts(readings: Readings, result: AuditResult) -> Iterator[File]:
    """Yield the files that the page links, and its style."""
    yield from _data(result)
    yield from viewed_images.viewer(readings, result)
    yield STYLE, style_sheet().encode()


def _texts(result: AuditResult, drawn: tuple[Picture, ...], layers: Sequence[str]) -> Iterator[File]:
    """Yield the page and the texts beside it. The page links copies, so that its folder can be sent alone."""
    names = [name for name, _ in _data(result)]
    numbers, summary = add_digest(result.model_dump_json(indent=1)), markdown(result).encode()
    yield from ((RESULT, numbers), (f"{REPORT}/{RESULT}", numbers))
    yield from ((SUMMARY, summary), (f"{REPORT}/{SUMMARY}", summary))
    yield f"{REPORT}/{SPEC_COPY}", result.identity.spec.encode()
    yield PAGE, html(result, drawn, names, layers).encode()


def _data(result: AuditResult) -> Iterator[File]:
    for name, frame in frames(result).items():
        yield f"data/{name}.csv", csv_file(frame)
    yield SCHEMA, (json.dumps(AuditResult.model_json_schema(), indent=1) + "\n").encode()


def _layers(home: Path) -> list[str]:
    """Return the names of the layers whose concepts have a page beside the report."""
    return sorted(file.parent.name for file in home.glob(f"{CONCEPTS}/*/{Path(PAGE).name}"))
