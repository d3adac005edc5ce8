"""The places of the stores of runs. A run is a folder that holds one audit, or one per subject of its spec."""

from pathlib import Path

from pipeline.store.location import Location

SPEC_COPY = "audit.toml"


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
    from pipeline.store.store import NAME

    for run, subject in ((folder, ""), (folder.parent, folder.name)):
        spec = run / SPEC_COPY
        if spec.exists() and (not subject or subject in audits_in(run)):
            home = home_of(spec, run)
            return (home / subject if subject else home) / NAME
    return Location(str(folder)) / NAME
