"""The folders of runs, and of the pages in them."""

from pathlib import Path

from pipeline.store.runs import audits_in, location_of
from srd.errors import IncompleteRun, StoreError

RUNS = Path("runs")
PAGE = "report/index.html"
REPORT = Path(PAGE).parent.name
"""The folder of the page and its files."""
CONCEPTS = "concepts"
"""The folder of the pages of layers, beside the report's page."""


def folder_of(run: Path) -> Path:
    """Return the folder of a run, given by its path or by the spec that the run was made from.

    Raises
    ------
    StoreError
        If there is no such folder.
    """
    folder = RUNS / run.stem if run.suffix == ".toml" else run
    if not folder.is_dir():
        raise StoreError(f"{folder}: no such run; start one with `srd-audit run SPEC`")
    return folder


def finished_audits(run: Path) -> tuple[Path, ...]:
    """Return the folders of all audits of a run.

    Raises
    ------
    StoreError
        If there is no such run.
    IncompleteRun
        If tasks are missing.
    """
    from pipeline.store.store import progress

    folders = tuple(audits_in(folder_of(run)).values()) or (folder_of(run),)
    for folder in folders:
        missing = sum(planned - done for done, planned in progress(location_of(folder)).values())
        if missing:
            command = f"srd-audit run {run}" if run.suffix == ".toml" else f"srd-audit run SPEC --out {run}"
            raise IncompleteRun(f"{folder}: {missing} tasks are missing; `{command}` continues the run")
    return folders
