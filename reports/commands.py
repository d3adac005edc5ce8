"""Running an audit on the terminal: imports torch, so only the command that needs it imports this."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from pipeline.comparison import load_audits
from pipeline.deployment import ClusterSpec
from pipeline.executors import Executor, serially
from pipeline.extent import Extent
from pipeline.logs import Log
from pipeline.on_dask.executor import on_dask
from pipeline.preparation import Job
from pipeline.run import prepared, run, store_path
from pipeline.spec import load_spec
from reports.progress import Display, Several
from reports.runs import SPEC_COPY
from srd.errors import FailedTasks, InputError, SpecError, StoreError


def run_audit(spec: Path, folder: Path, cluster: ClusterSpec | None, extent: Extent, console: Console) -> None:
    """Runs what is missing of an extent of an audit; the folder gets a copy of the spec."""
    job = Job(load_spec(spec), spec.parent.resolve(), store_path(folder))
    _refuse_file(folder)
    log = Log(folder, spec, "this process" if cluster is None else str(cluster))
    with _executor(cluster, console) as executor:
        _run(job, executor, extent, log, console)
    _keep(spec, folder)


def run_comparison(spec: Path, folder: Path, cluster: ClusterSpec | None, extent: Extent, console: Console) -> None:
    """Runs what is missing of the audits of all subjects, in folders of their own, as `run_audit`.

    None begins before all are known to fit. Raises SpecError if the folder of a subject is taken, StoreError if
    `folder` is that of a single audit.
    """
    audits = load_audits(spec)
    jobs = {name: Job(audit, spec.parent.resolve(), store_path(folder / name)) for name, audit in audits.items()}
    _refuse_file(folder)
    _refuse_taken(folder, jobs)
    with _executor(cluster, console) as executor:
        for job in jobs.values():
            executor.call(prepared, job)
        _keep(spec, folder)
        logs = {name: Log(folder / name, spec, "this process" if cluster is None else str(cluster)) for name in jobs}
        _run_all(jobs, executor, extent, logs, console)


def _run_all(
    jobs: Mapping[str, Job], executor: Executor, extent: Extent, logs: Mapping[str, Log], console: Console
) -> None:
    """One after the other, all of them, whatever fails in some."""
    failed: list[FailedTasks] = []
    for name, job in jobs.items():
        console.print(name, style="bold")
        try:
            _run(job, executor, extent, logs[name], console)
        except FailedTasks as error:
            failed.append(error)
    if failed:
        raise failed[0]


def _run(job: Job, executor: Executor, extent: Extent, log: Log, console: Console) -> None:
    with Display(console) as display:
        run(job, executor, Several(display, log), extent)


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


@contextmanager
def _executor(cluster: ClusterSpec | None, console: Console) -> Iterator[Executor]:
    if cluster is None:
        yield serially
        return
    with on_dask(cluster, console.print) as executor:
        yield executor
