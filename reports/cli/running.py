"""The command `run` on the terminal."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from pipeline.execution.executors import Executor, serial_executor
from pipeline.execution.job import Job
from pipeline.execution.logs import ClusterLog, Log
from pipeline.execution.on_dask.executor import dask_executor
from pipeline.execution.run import PreparedRun, prepare_run, run
from pipeline.machine.phases import Phase
from pipeline.plan.selection import Selection
from pipeline.spec.audit import load_spec
from pipeline.spec.comparison import load_audits
from pipeline.spec.deployment import ClusterSpec
from pipeline.spec.settings import Setting
from pipeline.store.location import Location
from pipeline.store.runs import SPEC_COPY, home_of, location_of
from pipeline.store.store import NAME, exists
from reports.cli.folder_options import tell_credentials
from reports.cli.heartbeat import tell_phases
from reports.cli.progress import Decoration, Display, Observers
from reports.cli.spec_copy import copy_spec, refuse_overwriting
from reports.runs import PAGE, refuse_among_images
from srd.errors import FailedTasks, IncompleteRun, SpecError, StoreError

PREPARING = Phase("preparing")


def run_audit(
    spec: Path,
    folder: Path,
    cluster: ClusterSpec | None,
    selection: Selection,
    console: Console,
    settings: Sequence[Setting] = (),
    trusted: tuple[Path, ...] = (),
) -> None:
    """Run what is missing of a selection of an audit. The folder gets a copy of the spec, and logs.

    Parameters
    ----------
    settings
        What changes the spec; the copy has it.
    trusted
        The files of weights whose code may run.
    """
    home = home_of(spec, folder)
    tell_credentials(home, console)
    job = Job(load_spec(spec, settings), spec.parent.resolve(), home / NAME, trusted=trusted)
    refuse_among_images(folder, job.spec.data, job.base)
    _refuse_elsewhere(folder, home)
    refuse_overwriting(spec, folder, settings)
    cluster_log = ClusterLog(folder, partial(console.print, markup=False))
    with _executor(cluster, cluster_log) as executor:
        prepared = _prepare(job, executor, console)
        copy_spec(spec, folder, settings)
        cluster_log.begin()
        log = Log(folder, spec, _in_words(cluster), partial(console.print, markup=False))
        waiting = _PreparedAudit(prepared, log).run(executor, selection, console)
    _refuse_waiting(waiting)


def run_comparison(
    spec: Path,
    folder: Path,
    cluster: ClusterSpec | None,
    selection: Selection,
    console: Console,
    settings: Sequence[Setting] = (),
    trusted: tuple[Path, ...] = (),
) -> None:
    """Run what is missing of the audits of all subjects, each in a folder of its own, as `run_audit` does.

    No audit begins before all are known to fit. All are run even if some fail.

    Raises
    ------
    SpecError
        If the folder of a subject is that of the comparison.
    StoreError
        If `folder` is that of a single audit.
    """
    home = home_of(spec, folder)
    base, audits = spec.parent.resolve(), load_audits(spec, settings)
    jobs = {name: Job(audit, base, home / name / NAME, trusted=trusted) for name, audit in audits.items()}
    tell_credentials(home, console)
    for job in jobs.values():
        refuse_among_images(folder, job.spec.data, job.base)
    _refuse_elsewhere(folder, home)
    refuse_overwriting(spec, folder, settings)
    _refuse_taken_folder(folder, home, jobs)
    cluster_log = ClusterLog(folder, partial(console.print, markup=False))
    with _executor(cluster, cluster_log) as executor:
        prepared = {}
        for name, job in jobs.items():
            prepared[name] = _prepare(job, executor, console, name)
        copy_spec(spec, folder, settings)
        cluster_log.begin()
        words, tell = _in_words(cluster), partial(console.print, markup=False)
        running = {name: _PreparedAudit(each, Log(folder / name, spec, words, tell)) for name, each in prepared.items()}
        waiting = _run_all(running, executor, selection, console)
    for keys in waiting:
        _refuse_waiting(keys)


@dataclass(frozen=True)
class _PreparedAudit:
    """An audit whose store is prepared."""

    prepared: PreparedRun
    log: Log

    def run(self, executor: Executor, selection: Selection, console: Console) -> list[str]:
        """Run the audit, and return the keys of the tasks that wait for other parts."""
        with Decoration(Display(console, selection, lambda: executor.workers), console) as display:
            return run(self.prepared, executor, Observers(display, self.log), selection)


def _prepare(job: Job, executor: Executor, console: Console, subject: str = "") -> PreparedRun:
    with tell_phases(console, subject) as tell:
        tell(PREPARING)
        return prepare_run(job, executor, tell)


def _run_all(
    running: Mapping[str, _PreparedAudit], executor: Executor, selection: Selection, console: Console
) -> list[list[str]]:
    failed: list[FailedTasks] = []
    waiting = []
    for name, audit in running.items():
        console.print(name, style="bold", markup=False)
        try:
            waiting.append(audit.run(executor, selection, console))
        except FailedTasks as error:
            failed.append(error)
    if failed:
        raise min(failed, key=lambda error: error.exit_code)
    return waiting


def _refuse_waiting(keys: Sequence[str]) -> None:
    """Raise unless all that was selected is done. Tasks of one part wait for those of others, whose output they read.

    Raises
    ------
    IncompleteRun
        If tasks are missing.
    """
    if keys:
        raise IncompleteRun(
            f"{len(keys)} tasks wait for the output of other parts, the first: {keys[0]}; "
            "run these parts, then the same command again"
        )


def _refuse_elsewhere(folder: Path, home: Location) -> None:
    """Raise unless the folder can hold this run: a folder belongs to one run, whose store lies in one place."""
    there = location_of(folder)
    if (folder / SPEC_COPY).exists() and there.url != (home / NAME).url:
        raise StoreError(f"{folder}: holds a run that is stored in {there}; choose another folder with --out")


def _refuse_taken_folder(folder: Path, home: Location, jobs: Mapping[str, Job]) -> None:
    page = (folder / PAGE).parent
    if page.name in jobs:
        raise SpecError(f"subject.{page.name}: {page} is where the comparison goes; choose another name")
    if exists(home / NAME):
        raise StoreError(f"{folder}: holds the run of one network; choose another folder with --out")


def _in_words(cluster: ClusterSpec | None) -> str:
    return "this process" if cluster is None else str(cluster)


@contextmanager
def _executor(cluster: ClusterSpec | None, tell: Callable[[str], object]) -> Iterator[Executor]:
    if cluster is None:
        yield serial_executor
        return
    with dask_executor(cluster, tell) as executor:
        yield executor
