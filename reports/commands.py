"""Running an audit on the terminal: imports torch, so only the command that needs it imports this."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from pipeline.comparison import load_audits
from pipeline.deployment import ClusterSpec
from pipeline.executors import Executor, serially
from pipeline.logs import Log
from pipeline.on_dask.executor import on_dask
from pipeline.preparation import Job, load, prepare
from pipeline.run import run, store_path
from pipeline.schema import STAGES
from pipeline.spec import load_spec
from reports.progress import Display, Several
from reports.runs import SPEC_COPY
from srd.errors import InputError, SpecError, StoreError


def run_audit(spec: Path, folder: Path, cluster: ClusterSpec | None, stage: str | None, console: Console) -> None:
    """Runs what is missing of an audit, up to `stage` or to its end; the folder gets a copy of the spec."""
    job = Job(load_spec(spec), spec.parent.resolve(), store_path(folder))
    _refuse_file(folder)
    _run(job, spec, folder, cluster, stage, console)
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
        _run(job, spec, folder / name, cluster, stage, console)


def _run(job: Job, spec: Path, folder: Path, cluster: ClusterSpec | None, stage: str | None, console: Console) -> None:
    with Display(console) as display, _executor(cluster, console) as executor:
        log = Log(folder, spec, "this process" if cluster is None else str(cluster))
        run(job, executor, Several(display, log), until=stage or STAGES[-1])


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
