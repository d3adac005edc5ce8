"""The folders of runs, and of the pages in them."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.store.runs import SPEC_COPY, audits_in, location_of
from srd.errors import IncompleteRun, InputError, SpecError, StoreError

if TYPE_CHECKING:
    from pipeline.spec.data import DataSpec

RUNS = "runs"
"""The folder of all runs, beside their specs."""
PAGE = "report/index.html"
REPORT = Path(PAGE).parent.name
"""The folder of the page and its files."""
CONCEPTS = "concepts"
"""The folder of the pages of layers, beside the report's page."""
COMPARISON = "comparison"
"""The folder of a comparison, beside the first of its runs."""


def place_of(spec: Path, runs: Path | None = None) -> Path:
    """Return the place of a spec's run: the folder NAME in `runs`, or else in the folder "runs" beside the spec.

    NAME is that of the file without its suffix. All that `audit.toml` tells is the name of the folder in which it lies,
    which is NAME then, unless it lies at the root of the file system, which has no name.
    """
    own = spec.parent.resolve().name if spec.stem == Path(SPEC_COPY).stem else ""
    return (spec.parent / RUNS if runs is None else runs) / (own or spec.stem)


def folder_for(spec: Path, runs: Path | None, out: Path | None) -> Path:
    """Return the folder in which to work on a spec: `out`, or else the place of its run. It need not be there yet.

    Raises
    ------
    InputError
        If `runs` and `out` are both given, if neither is and the spec is the copy that a run keeps, or if a file is
        where the folder goes.
    """
    if runs is not None and out is not None:
        raise InputError(f"--runs {runs} and --out {out}: each says where the run lies; name one of them")
    keeper = keeper_of(spec)
    if keeper and runs is None and out is None:
        raise InputError(
            f"{spec}: is the copy of its spec that the run in {keeper} keeps; name the spec itself, "
            f"or go on with this run by --out {keeper}"
        )
    folder = place_of(spec, runs) if out is None else out
    for each in (folder, folder.parent):
        if each.exists() and not each.is_dir():
            raise InputError(f"{each}: is a file; name a folder with --out or --runs")
    return folder


def folder_of(run: Path, runs: Path | None = None) -> Path:
    """Return the folder of a run, given by its path, by the spec that it was made from or by the copy that it keeps.

    Raises
    ------
    InputError
        If `runs` is given for a path.
    StoreError
        If there is no such folder.
    """
    if not is_spec(run):
        if runs is not None:
            raise InputError(f"--runs {runs}: {run} is the run's folder already; leave it out, or name a spec")
        if not run.is_dir():
            raise StoreError(f"{run}: no such run; start one with `srd-audit run SPEC`")
        return run
    keeper = keeper_of(run) if runs is None else None
    folder = keeper or place_of(run, runs)
    refuse_missing(folder)
    return folder


def refuse_missing(folder: Path) -> None:
    """Refuse the folder of a spec's run that is not there.

    Raises
    ------
    StoreError
        If it is not.
    """
    if not folder.is_dir():
        raise StoreError(
            f"{folder}: no such run; start one with `srd-audit run SPEC`, or say with --runs which folder holds it"
        )


def refuse_among_images(folder: Path, data: "DataSpec", base: Path) -> None:
    """Refuse to write into the images of a spec, which would be read as such. Its relative paths start at `base`.

    Raises
    ------
    InputError
        If `folder` lies in the folder of the images.
    """
    if folder.resolve().is_relative_to((base / data.path).resolve()):
        raise InputError(
            f"{folder}: lies in data.path = {data.path!r}, all of which is read as images; "
            "name another folder with --out or --runs"
        )


def is_spec(run: Path) -> bool:
    """Return whether a run is given by a spec, not by its folder."""
    return run.suffix == ".toml"


def keeper_of(spec: Path) -> Path | None:
    """Return the folder of the run that keeps this file as the copy of its spec, or None if it is a spec of its own."""
    if spec.name != SPEC_COPY:
        return None
    folder = spec.parent
    places = (folder, folder.resolve().parent) if folder.resolve().name == REPORT else (folder,)
    return next((each for each in places if _holds_run(each)), None)


def _holds_run(folder: Path) -> bool:
    from pipeline.execution import logs
    from pipeline.store.store import NAME

    places = [folder]
    with suppress(SpecError):  # of a spec that cannot be read whoever loads it says so
        places += audits_in(folder).values()
    return any((place / mark).exists() for place in places for mark in (NAME, f"{logs.LOGS}/{logs.RUNS}"))


def finished_audits(run: Path, runs: Path | None = None) -> tuple[Path, ...]:
    """Return the folders of all audits of a run, which `folder_of` finds.

    Raises
    ------
    StoreError
        If there is no such run.
    IncompleteRun
        If tasks are missing.
    """
    from pipeline.store.store import progress

    found = folder_of(run, runs)
    folders = tuple(audits_in(found).values()) or (found,)
    for folder in folders:
        missing = sum(planned - done for done, planned in progress(location_of(folder)).values())
        if missing:
            command = _command(run, runs, found)
            raise IncompleteRun(f"{folder}: {missing} tasks are missing; `{command}` continues the run")
    return folders


def comparison_place(run: Path, runs: Path | None) -> Path:
    """Return the place of a comparison whose first run is `run`: in `runs`, or else beside that run's folder."""
    if runs is not None:
        return runs / COMPARISON
    folder = _whole_run(folder_of(run))
    return (folder if folder.name not in ("", "..") else folder.resolve()).parent / COMPARISON


def _command(run: Path, runs: Path | None, folder: Path) -> str:
    """Return the command that continues the run in `folder`."""
    if not is_spec(run) or keeper_of(run):
        return f"srd-audit run SPEC --out {_whole_run(folder)}"
    return f"srd-audit run {run}" if runs is None else f"srd-audit run {run} --runs {runs}"


def _whole_run(audit: Path) -> Path:
    """Return the folder of the run to which an audit belongs, which is its own unless it is that of a subject."""
    return audit.parent if audit.name in audits_in(audit.parent) else audit
