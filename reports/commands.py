"""Running an audit on the terminal: imports torch, so only the command that needs it imports this."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from pipeline.comparison import load_audits
from pipeline.deployment import ClusterSpec
from pipeline.executors import Executor, Outcome, serially
from pipeline.location import Location
from pipeline.logs import Log
from pipeline.on_dask.executor import on_dask
from pipeline.preparation import Job, load, prepare
from pipeline.run import Observer, run
from pipeline.schema import STAGES
from pipeline.spec import load_spec
from pipeline.store import NAME, exists
from reports.progress import Display, Several
from reports.runs import SPEC_COPY, home_of, location_of
from srd.errors import InputError, SpecError, StoreError


def run_audit(spec: Path, folder: Path, cluster: ClusterSpec | None, stage: str | None, console: Console) -> None:
    """Runs what is missing of an audit, up to `stage` or to its end; the folder gets a copy of the spec."""
    home = home_of(spec, folder)
    job = Job(load_spec(spec), spec.parent.resolve(), home / NAME)
    _refuse_elsewhere(folder, home)
    _run(job, spec, folder, cluster, stage, console, Keeper(spec, folder))


def run_comparison(spec: Path, folder: Path, cluster: ClusterSpec | None, stage: str | None, console: Console) -> None:
    """Runs what is missing of the audits of all subjects, in folders of their own, as `run_audit`.

    None begins before all are known to fit. Raises SpecError if the folder of a subject is taken, StoreError if
    `folder` is that of a single audit.
    """
    audits = load_audits(spec)
    home = home_of(spec, folder)
    jobs = {name: Job(audit, spec.parent.resolve(), home / name / NAME) for name, audit in audits.items()}
    _refuse_elsewhere(folder, home)
    _refuse_taken(folder, home, jobs)
    for job in jobs.values():
        prepare(job, load(job))
    _keep(spec, folder)
    for name, job in jobs.items():
        console.print(name, style="bold")
        _run(job, spec, folder / name, cluster, stage, console)


def _run(
    job: Job,
    spec: Path,
    folder: Path,
    cluster: ClusterSpec | None,
    stage: str | None,
    console: Console,
    *observers: Observer,
) -> None:
    with Display(console) as display, _executor(cluster, console) as executor:
        log = Log(folder, spec, "this process" if cluster is None else str(cluster))
        run(job, executor, Several(*observers, display, log), until=stage or STAGES[-1])


def _refuse_elsewhere(folder: Path, home: Location) -> None:
    """A folder belongs to one run, whose store lies in one place."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out {folder}: is a file; name a folder")
    there = location_of(folder)
    if (folder / SPEC_COPY).exists() and there.url != (home / NAME).url:
        raise StoreError(f"{folder}: holds a run that is stored in {there}; choose another folder with --out")


def _refuse_taken(folder: Path, home: Location, jobs: Mapping[str, Job]) -> None:
    from reports.report import PAGE  # seaborn takes two seconds to import

    page = (folder / PAGE).parent
    if page.name in jobs:
        raise SpecError(f"subject.{page.name}: {page} is where the comparison goes; choose another name")
    if exists(home / NAME):
        raise StoreError(f"{folder}: holds the run of one network; choose another folder with --out")


def _keep(spec: Path, folder: Path) -> None:
    """Copies the spec into the run's folder, which then says where the store is."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / SPEC_COPY).exists() or not spec.samefile(folder / SPEC_COPY):
        shutil.copyfile(spec, folder / SPEC_COPY)


class Keeper:
    """An observer that puts a copy of the spec into the run's folder, once the store is there."""

    def __init__(self, spec: Path, folder: Path) -> None:
        self._spec, self._folder = spec, folder

    def prepared(self, attributes: dict[str, Any]) -> None:
        _keep(self._spec, self._folder)

    def stage(self, name: str, done: int, total: int) -> None: ...

    def task(self, outcome: Outcome) -> None: ...


@contextmanager
def _executor(cluster: ClusterSpec | None, console: Console) -> Iterator[Executor]:
    if cluster is None:
        yield serially
        return
    with on_dask(cluster, console.print) as executor:
        yield executor
