"""A run's folder in, its report out: audit.json, summary.md and a folder of pages that opens from a disk."""

import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pipeline.integrity import blaming_damage, check_results
from pipeline.location import Location
from pipeline.store import open_results
from reports import gallery, page
from reports.figures import pictures
from reports.frames import frames
from reports.marks import Picture
from reports.readings import Readings
from reports.record import record_of
from reports.result import AuditResult
from reports.runs import location_of
from reports.summarise import summarise

RESULT = "audit.json"
SUMMARY = "summary.md"
PAGE = "report/index.html"
SCHEMA = "data/audit.schema.json"
CONCEPTS = "concepts"
"""Folder of the pages of layers, which `srd-audit concepts` writes."""
GENERATED = ("figures", gallery.FOLDER, "data")


def write_report(folder: Path) -> Path:
    """Writes the report of the store in `folder` beside it and returns the path of its page.

    The same bytes each time for one store and the same layers with a page. Raises StoreError if there is no store, or a
    damaged one.
    """
    store = location_of(folder)
    check_results(store)
    with blaming_damage(store):
        return _written(folder, store)


def _written(folder: Path, store: Location) -> Path:
    readings = Readings(open_results(store))
    result = summarise(readings, record_of(folder, store))
    drawn = tuple(pictures(result))
    home = (folder / PAGE).parent
    _clear(home)
    _write(home, (*_data(result), *_figures(drawn), *gallery.drawings(readings, result.cases, result.overview)))
    _write(home, [(page.STYLE, page.style().encode())])
    _write(folder, _texts(result, drawn, _layers(home)))
    return folder / PAGE


def _texts(result: AuditResult, drawn: tuple[Picture, ...], layers: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    names = [name for name, _ in _data(result)]
    yield RESULT, (result.model_dump_json(indent=1) + "\n").encode()
    yield SUMMARY, page.markdown(result).encode()
    yield PAGE, page.html(result, drawn, names, layers).encode()


def _data(result: AuditResult) -> Iterator[tuple[str, bytes]]:
    for name, frame in frames(result).items():
        yield f"data/{name}.csv", frame.to_csv(index=False, lineterminator="\n").encode()
    yield SCHEMA, (json.dumps(AuditResult.model_json_schema(), indent=1) + "\n").encode()


def _layers(home: Path) -> list[str]:
    """Layers whose concepts have a page beside the report."""
    return sorted(file.parent.name for file in home.glob(f"{CONCEPTS}/*/{Path(PAGE).name}"))


def _figures(drawn: Iterable[Picture]) -> Iterator[tuple[str, bytes]]:
    return ((picture.file, picture.svg) for picture in drawn)


def _clear(home: Path) -> None:
    """Removes what an earlier report left in the folders that are wholly generated."""
    for name in GENERATED:
        shutil.rmtree(home / name, ignore_errors=True)


def _write(home: Path, contents: Iterable[tuple[str, bytes]]) -> None:
    for name, content in contents:
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
