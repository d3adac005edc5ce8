"""The report of a run: audit.json, summary.md and a folder of pages that opens from a disk."""

import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pipeline.store.location import Location
from pipeline.store.results import open_results
from reports.audit import maps
from reports.audit.page import frames, html, markdown, pictures
from reports.audit.readings import Readings
from reports.audit.run_record import record_of
from reports.audit.sections import AuditResult
from reports.audit.summarise import summarise
from reports.page import STYLE, File, style_sheet
from reports.plot_primitives import Picture
from reports.runs import CONCEPTS, PAGE, location_of

RESULT = "audit.json"
SUMMARY = "summary.md"
SCHEMA = "data/audit.schema.json"
GENERATED = ("figures", maps.FOLDER, "data")


def write_report(folder: Path) -> Path:
    """Write the report of an audit into its folder, and return the path of its page.

    One store, with the same layers that have a page, gives the same bytes each time.

    Raises
    ------
    StoreError
        If there is no store, or it is damaged.
    """
    return _write_all(folder, location_of(folder))


def _write_all(folder: Path, store: Location) -> Path:
    readings = Readings(open_results(store))
    result = summarise(readings, record_of(folder, store))
    drawn = tuple(pictures(result))
    home = (folder / PAGE).parent
    _clear(home)
    _write(home, (*_data(result), *_figures(drawn), *maps.drawings(readings, result.cases, result.overview)))
    _write(home, [(STYLE, style_sheet().encode())])
    _write(folder, _texts(result, drawn, _layers(home)))
    return folder / PAGE


def _texts(result: AuditResult, drawn: tuple[Picture, ...], layers: Sequence[str]) -> Iterator[File]:
    names = [name for name, _ in _data(result)]
    yield RESULT, (result.model_dump_json(indent=1) + "\n").encode()
    yield SUMMARY, markdown(result).encode()
    yield PAGE, html(result, drawn, names, layers).encode()


def _data(result: AuditResult) -> Iterator[File]:
    for name, frame in frames(result).items():
        yield f"data/{name}.csv", frame.to_csv(index=False, lineterminator="\n").encode()
    yield SCHEMA, (json.dumps(AuditResult.model_json_schema(), indent=1) + "\n").encode()


def _layers(home: Path) -> list[str]:
    """Return the names of the layers whose concepts have a page beside the report."""
    return sorted(file.parent.name for file in home.glob(f"{CONCEPTS}/*/{Path(PAGE).name}"))


def _figures(drawn: Iterable[Picture]) -> Iterator[File]:
    return ((picture.file, picture.svg) for picture in drawn)


def _clear(home: Path) -> None:
    """Remove the folders that a report generates as a whole."""
    for name in GENERATED:
        shutil.rmtree(home / name, ignore_errors=True)


def _write(home: Path, contents: Iterable[File]) -> None:
    for name, content in contents:
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
