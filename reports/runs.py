"""The folders of runs and the places of their stores. A run holds one audit, or one per subject of its spec."""

from pathlib import Path

from pipeline.store.location import Location
from pipeline.store.store import NAME
from srd.errors import IncompleteRun, StoreError

RUNS = Path("runs")
SPEC_COPY = "audit.toml"
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


def audits_in(folder: Path) -> dict[str, Path]:
    """Return the folder of each subject's audit, by subject. The mapping is empty if the run is a single audit."""
    from pipeline.spec.comparison import load_audits

    spec = folder / SPEC_COPY
    return {subject: folder / subject for subject in load_audits(spec)} if spec.exists() else {}


def home_of(spec: Path, folder: Path) -> Location:
    """Return the place of a run's stores: the one in the table [store] of its spec, or its folder."""
    from pipeline.spec.deployment import load_deployment

    store = load_deployment(spec).store
    return Location(store.url, store.options) if store else Location(str(folder))


def location_of(folder: Path) -> Location:
    """Return the place of an audit's store. The folder is that of a run, or of a subject within a run."""
    for run, subject in ((folder, ""), (folder.parent, folder.name)):
        spec = run / SPEC_COPY
        if spec.exists() and (not subject or subject in audits_in(run)):
            home = home_of(spec, run)
            return (home / subject if subject else home) / NAME
    return Location(str(folder)) / NAME


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
