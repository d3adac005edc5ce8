"""The report that a finished run keeps: made of its store by this code, by nobody changed since.

Beside it lies a record of what it was made of, of the digest of each of its files, and of the verdicts that were told.
"""

import json
import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.machine.files import MIB, TEXT, UnreadableFile, read_file
from pipeline.machine.libraries import LIBRARIES
from pipeline.machine.sources import ROOT, files_digest, source_digest
from pipeline.machine.writing import write_files
from pipeline.store.location import Location
from pipeline.store.runs import audits_in, location_of
from pipeline.store.store import contents_digest
from pipeline.verification import findings
from reports.audit.result_file import RESULT
from reports.cli.endings import Ending
from reports.runs import CONCEPTS, PAGE, REPORT

RECORD = "logs/report.json"
TOPS = (RESULT, "summary.md", "report.html")
"""The files of a report that lie beside its folder."""
MOST = 512 * MIB
UNREADABLE = "unreadable"
DRAWING = ("scipy", "pandas", "matplotlib", "seaborn", "jinja2", "pydantic", "scikit-learn")
"""The libraries that make pages of a store."""


class _Record(BaseModel):
    """The record of a report."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    made_of: str
    files: dict[str, str]
    """The SHA-256 of each file, by its path in the run's folder."""
    endings: dict[str, tuple[str, str]]
    """Subject -> outcome and sentence of its verdict."""


def digest_of_sources(folder: Path) -> str:
    """Return the digest of all that the report of a run is made of: code, libraries, and what its stores hold.

    The values of a store are known by the receipts of its tasks; they are not read.
    """
    facts = {"code": source_digest(), "pages": _pages_digest(), "versions": _versions()}
    audits = audits_in(folder) or {"": folder}
    stores = {subject: _facts_of_audit(audit, location_of(audit)) for subject, audit in audits.items()}
    return sha256(json.dumps([facts, stores], sort_keys=True).encode()).hexdigest()


def keep(folder: Path, made_of: str, endings: Iterable[Ending]) -> None:
    """Record the report that was written into the folder of a run.

    Parameters
    ----------
    made_of
        What `digest_of_sources` returned before it was written.
    """
    told = {each.subject: (each.outcome, each.sentence) for each in endings}
    files = {name: _digest(folder / name) for name in _names(folder)}
    record = _Record(made_of=made_of, files=files, endings=told)
    write_files(folder, [(RECORD, record.model_dump_json(indent=1).encode() + b"\n")])


def kept_endings(folder: Path) -> tuple[Ending, ...]:
    """Return the endings of a report that need not be written again; none if it must be.

    It must be if the stores, the code or a library is another, or if any of its files was removed or changed.
    """
    with suppress(UnreadableFile, ValidationError):
        record = _Record.model_validate_json(read_file(folder / RECORD, TEXT))
        is_whole = all(_digest(folder / name) == digest for name, digest in record.files.items())
        if record.files and is_whole and digest_of_sources(folder) == record.made_of:
            return tuple(
                Ending(subject, str(folder / subject / RESULT), *told) for subject, told in record.endings.items()
            )
    return ()


def _facts_of_audit(folder: Path, store: Location) -> Mapping[str, object]:
    return {
        "store": contents_digest(store),
        "verified": _digest_if_readable(folder / findings.NAME),
        "concepts": sorted(file.parent.name for file in folder.glob(f"{REPORT}/{CONCEPTS}/*/{Path(PAGE).name}")),
    }


def _pages_digest() -> str:
    """Return the digest of the sources of pages, their templates and scripts."""
    files = (file for file in (ROOT / "reports").rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    return files_digest({str(file.relative_to(ROOT)): file for file in files})


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: version(name) for name in (*LIBRARIES, *DRAWING)}}


def _names(folder: Path) -> Iterator[str]:
    """Yield the paths of the files of a report in the folder of a run, and in those of its subjects."""
    for home in (folder, *audits_in(folder).values()):
        for file in [*(home / name for name in TOPS), *sorted((home / REPORT).rglob("*"))]:
            if file.is_file() and CONCEPTS not in file.relative_to(home).parts[:-1]:
                yield str(file.relative_to(folder))


def _digest_if_readable(file: Path) -> str:
    """Return the SHA-256 of a file, "" if there is none, or UNREADABLE: whoever reads it then refuses it."""
    try:
        return _digest(file)
    except UnreadableFile:
        return UNREADABLE if os.path.lexists(file) else ""


def _digest(file: Path) -> str:
    """Return the SHA-256 of a regular file.

    Raises
    ------
    UnreadableFile
        If there is none.
    """
    return sha256(read_file(file, MOST)).hexdigest()
