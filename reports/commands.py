"""Running an audit on the terminal: imports torch, so only the command that needs it imports this."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from pipeline.comparison import load_audits
from pipeline.deployment import ClusterSpec
from pipeline.executors import Executor, Outcome, serially
from pipeline.location import Location
from pipeline.on_dask.executor import on_dask
from pipeline.preparation import Job, load, prepare
from pipeline.run import run
from pipeline.schema import STAGES
from pipeline.spec import load_spec
from pipeline.store import NAME, exists
from reports.runs import SPEC_COPY, home_of, location_of
from srd.errors import InputError, SpecError, StoreError


def run_audit(spec: Path, folder: Path, cluster: ClusterSpec | None, stage: str | None, console: Console) -> None:
    """Runs what is missing of an audit, up to `stage` or to its end; the folder gets a copy of the spec."""
    home = home_of(spec, folder)
    job = Job(load_spec(spec), spec.parent.resolve(), home / NAME)
    _refuse_elsewhere(folder, home)
    _run(job, cluster, stage, console, partial(_keep, spec, folder))


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
        _run(job, cluster, stage, console)


def _run(
    job: Job,
    cluster: ClusterSpec | None,
    stage: str | None,
    console: Console,
    when_prepared: Callable[[], None] = lambda: None,
) -> None:
    with ProgressBars(_progress(console), when_prepared) as bars, _executor(cluster, console) as executor:
        run(job, executor, bars, until=stage or STAGES[-1])


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


class ProgressBars:
    """Shows a run on the terminal: one bar a stage, with rate and time left; nothing before the first stage."""

    def __init__(self, progress: Progress, when_prepared: Callable[[], None] = lambda: None) -> None:
        self._progress = progress
        self._when_prepared = when_prepared
        self._bar: TaskID | None = None

    def __enter__(self) -> "ProgressBars":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._progress.stop()

    def prepared(self, attributes: dict[str, Any]) -> None:
        self._when_prepared()
        correct, n = attributes["correct"], attributes["plan"]["sizes"]["image"]
        share = f"{correct / n:.1%} of {n} clean images are classified as labelled"
        chance = 1 / attributes["plan"]["sizes"]["class"]
        warning = "; near chance: check class order, mean and std" if correct / n < 2 * chance else ""
        self._progress.console.print(share + warning)

    def stage(self, name: str, done: int, total: int) -> None:
        if done == total:
            self._progress.console.print(f"{name}: nothing to do, all {total} tasks are done")
        self._progress.start()
        self._bar = self._progress.add_task(name, completed=done, total=total, rate="")

    def task(self, outcome: Outcome) -> None:
        if self._bar is None:
            return
        if outcome.error is not None:
            self._progress.console.print(f"failed: {outcome.error}", markup=False)
            return
        self._progress.advance(self._bar)
        speed = self._progress.tasks[self._bar].finished_speed or self._progress.tasks[self._bar].speed
        self._progress.update(self._bar, rate=f"{speed:.2f} tasks/s" if speed else "")


@contextmanager
def _executor(cluster: ClusterSpec | None, console: Console) -> Iterator[Executor]:
    if cluster is None:
        yield serially
        return
    with on_dask(cluster, console.print) as executor:
        yield executor


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
    )
