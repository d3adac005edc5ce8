"""Running an audit on the terminal: imports torch, so only the command that needs it imports this."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
from pipeline.on_dask.executor import on_dask
from pipeline.preparation import Job, load, prepare
from pipeline.run import run, store_path
from pipeline.schema import STAGES
from pipeline.spec import load_spec
from reports.runs import SPEC_COPY
from srd.errors import InputError, SpecError, StoreError


def run_audit(spec: Path, folder: Path, cluster: ClusterSpec | None, stage: str | None, console: Console) -> None:
    """Runs what is missing of an audit, up to `stage` or to its end; the folder gets a copy of the spec."""
    job = Job(load_spec(spec), spec.parent.resolve(), store_path(folder))
    _refuse_file(folder)
    _run(job, cluster, stage, console)
    _keep(spec, folder)


def run_comparison(spec: Path, folder: Path, cluster: ClusterSpec | None, stage: str | None, console: Console) -> None:
    """Runs what is missing of the audits of all subjects, in folders of their own, as `run_audit`.

    None begins before all are known to fit. Raises SpecError if the folder of a subject is taken, StoreError if
    `folder` is that of a single audit.
    """
    audits = load_audits(spec)
    jobs = {name: Job(audit, spec.parent.resolve(), store_path(folder / name)) for name, audit in audits.items()}
    _refuse_file(folder)
    _refuse_taken(folder, jobs)
    for job in jobs.values():
        prepare(job, load(job))
    _keep(spec, folder)
    for name, job in jobs.items():
        console.print(name, style="bold")
        _run(job, cluster, stage, console)


def _run(job: Job, cluster: ClusterSpec | None, stage: str | None, console: Console) -> None:
    with ProgressBars(_progress(console)) as bars, _executor(cluster, console) as executor:
        run(job, executor, bars, until=stage or STAGES[-1])


def _refuse_file(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out {folder}: is a file; name a folder")


def _refuse_taken(folder: Path, jobs: Mapping[str, Job]) -> None:
    from reports.report import PAGE  # seaborn takes two seconds to import

    home = (folder / PAGE).parent
    if home.name in jobs:
        raise SpecError(f"subject.{home.name}: {home} is where the comparison goes; choose another name")
    if store_path(folder).exists():
        raise StoreError(f"{folder}: holds the run of one network; choose another folder with --out")


def _keep(spec: Path, folder: Path) -> None:
    if not (folder / SPEC_COPY).exists() or not spec.samefile(folder / SPEC_COPY):
        shutil.copyfile(spec, folder / SPEC_COPY)


class ProgressBars:
    """Shows a run on the terminal: one bar a stage, with rate and time left; nothing before the first stage."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bar: TaskID | None = None

    def __enter__(self) -> "ProgressBars":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._progress.stop()

    def prepared(self, attributes: dict[str, Any]) -> None:
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
