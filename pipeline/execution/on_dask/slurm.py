"""Clusters with one SLURM job for each worker, made by dask-jobqueue."""

import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import NamedTemporaryFile
from typing import Any

from pipeline.execution.on_dask.fixed_size import keep_workers
from pipeline.execution.on_dask.security import security_of
from pipeline.execution.on_dask.settings import ANY_PORT, LOOPBACK, environment
from pipeline.machine.outputs import AS_TEXT
from pipeline.spec.deployment import SlurmSpec, walltime_seconds
from srd.errors import ClusterError

SBATCH = "sbatch"
LINK = {
    "distributed.dashboard.link": f"{{scheme}}://{LOOPBACK}:{{port}}/status"
}  # Dask would name the workers' network
SAFE_PATH = {"PYTHONSAFEPATH": "1"}  # else a job imports first from the folder where it starts, which is the user's
LIFETIME = 0.9  # of the walltime: a worker that leaves by itself takes no task with it
MARGIN = 120.0  # seconds, at least, in which it starts and leaves; of a shorter walltime half


@contextmanager
def slurm_cluster(spec: SlurmSpec) -> Iterator[Any]:
    """Submit a job for each worker, and keep that number of jobs until the context ends.

    Raises
    ------
    ClusterError
        If dask-jobqueue is not installed, or if SLURM refuses the job.
    """
    import dask

    with dask.config.set(LINK), open_slurm(spec) as cluster:
        refuse_without_slurm(cluster)
        keep_workers(cluster, spec.workers)
        yield cluster


def open_slurm(spec: SlurmSpec) -> Any:
    """Open a scheduler in this process whose workers are jobs; none is submitted before it is scaled.

    Raises
    ------
    ClusterError
        If dask-jobqueue is not installed.
    SpecError
        As `security_of` does.
    """
    try:
        with _keep_signals():
            from dask_jobqueue.slurm import SLURMCluster
    except ImportError as error:
        raise ClusterError("[cluster] kind = 'slurm' needs dask-jobqueue; install the extra 'slurm'") from error
    exports = [f"export {name}={shlex.quote(value)}" for name, value in (environment() | SAFE_PATH).items()]
    return SLURMCluster(
        job_name="srd-audit",
        cores=1,
        processes=1,
        memory=spec.memory,
        walltime=spec.walltime,
        queue=spec.queue,
        account=spec.account,
        python=spec.python,
        interface=spec.interface,
        log_directory=spec.logs,
        job_script_prologue=[*exports, *spec.prologue],
        job_extra_directives=[*["--gres=gpu:1"] * spec.gpu, *spec.directives],
        worker_extra_args=["--lifetime", f"{lifetime(walltime_seconds(spec.walltime)):.0f}s"],
        scheduler_options={"dashboard_address": ANY_PORT},
        security=security_of(spec),
    )


def lifetime(walltime: float) -> float:
    """Return the seconds after which a worker leaves a job of this walltime.

    They begin when the worker has started, which takes some of the walltime.
    """
    return min(LIFETIME * walltime, walltime - min(MARGIN, walltime / 2))


@contextmanager
def _keep_signals() -> Iterator[None]:
    """Keep the answers to Ctrl-C and to the request to end, which dask-jobqueue replaces when it is imported."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def refuse_without_slurm(cluster: Any) -> None:
    """Ask SLURM whether it would take a job.

    Raises
    ------
    ClusterError
        If it would not, with what it says.
    """
    if shutil.which(SBATCH) is None:
        raise ClusterError("there is no sbatch here; run this where jobs are submitted")
    # dask-jobqueue only logs that a job was refused, and the wait for workers would go on
    with NamedTemporaryFile("w", suffix=".sh", encoding="utf-8") as script:
        script.write(cluster.job_script())
        script.flush()
        tried = subprocess.run([SBATCH, "--test-only", script.name], capture_output=True, check=False, **AS_TEXT)
    if tried.returncode:
        raise ClusterError(f"SLURM refuses the job: {tried.stderr.strip()}; change [cluster]")
