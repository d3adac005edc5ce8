"""The options that choose the machines of an audit. They override the table `[cluster]` of its spec."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srd.errors import InputError

if TYPE_CHECKING:
    from pipeline.spec.deployment import ClusterSpec

Workers = Annotated[
    int | None, typer.Option(min=0, help="Processes on this machine; 0: this process alone.", show_default=False)
]
Gpus = Annotated[int | None, typer.Option(min=1, help="GPUs of this machine, a process each.", show_default=False)]
Scheduler = Annotated[
    str | None, typer.Option(help="Address of a Dask scheduler: tcp://HOST:8786.", show_default=False)
]
TaskLimit = Annotated[
    float | None, typer.Option(min=1, help="Seconds after which the process of a task is ended.", show_default=False)
]


def cluster_of(
    spec: Path, workers: int | None, gpus: int | None, scheduler: str | None, task_limit: float | None
) -> "ClusterSpec | None":
    """Return the cluster that the options name, or else the one of the spec's table. None is this process.

    Raises
    ------
    SpecError
        If the table is wrong.
    InputError
        If the options exclude each other.
    """
    from pipeline.spec.deployment import LONGEST_WAIT, load_deployment, parse_cluster

    tables = {
        "--workers": {"kind": "local", "workers": workers},
        "--gpus": {"kind": "gpu", "gpus": gpus},
        "--scheduler": {"kind": "scheduler", "address": scheduler},
    }
    named = [option for option, value in zip(tables, (workers, gpus, scheduler), strict=True) if value is not None]
    if len(named) > 1:
        raise InputError(f"{' and '.join(named)}: each says where the audit runs; name one of them")
    cluster = None
    if not named:
        cluster = load_deployment(spec).cluster
    elif workers != 0:
        cluster = parse_cluster(tables[named[0]], named[0])
    if task_limit is None:
        return cluster
    if not task_limit <= LONGEST_WAIT:
        raise InputError(f"--task-limit {task_limit:g}: clocks end before; write at most {LONGEST_WAIT:.0f} seconds")
    if cluster is None:
        raise InputError("--task-limit: this process cannot end itself and go on; add --workers 1")
    return cluster.model_copy(update={"task_limit": task_limit})
