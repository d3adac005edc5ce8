"""The command `plan`. It imports torch, so only the command that needs it imports this module."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from pipeline.estimate.estimate import CostEstimate, Pilot, estimate_cost
from pipeline.estimate.pilot import measure
from pipeline.execution.calls import IMPORTING
from pipeline.execution.new_process import call_in_new_process
from pipeline.execution.on_dask.executor import dask_executor
from pipeline.execution.on_dask.local import gpu_ids
from pipeline.inputs.data import n_images
from pipeline.machine.memory import refuse_memory
from pipeline.spec.audit import AuditSpec, load_spec
from pipeline.spec.comparison import load_audits
from pipeline.spec.deployment import ClusterSpec, GpuSpec
from pipeline.spec.settings import Setting
from pipeline.store.capacity import refuse_store
from pipeline.store.location import Location
from reports.cli.heartbeat import tell_phases


def plan_audit(
    spec: Path,
    cluster: ClusterSpec | None,
    settings: Sequence[Setting],
    console: Console,
    trusted: tuple[Path, ...] = (),
) -> dict[str, CostEstimate]:
    """Return the cost estimate of each subject's audit, by subject. The subject of a single audit is "".

    Nothing is left behind. It raises what the audits would raise on their first images.
    """
    base, workers = spec.parent.resolve(), _processes(cluster)
    audits = load_audits(spec, settings) or {"": load_spec(spec, settings)}
    images = {name: n_images(audit.data, base) for name, audit in audits.items()}
    with _process_like_workers(cluster, console) as call:
        pilots = {name: _measure(call, audit, base, console, name, trusted) for name, audit in audits.items()}
    return {name: estimate_cost(pilots[name], images[name], audits[name].run.tile, workers) for name in audits}


def _measure(
    call: Callable[..., Any], audit: AuditSpec, base: Path, console: Console, subject: str, trusted: tuple[Path, ...]
) -> Pilot:
    with tell_phases(console, subject) as tell:
        tell(IMPORTING)
        pilot: Pilot = call(measure, audit, base, trusted, tell=tell)
    return pilot


def refuse_unfit(estimates: Mapping[str, CostEstimate], home: Location, cluster: ClusterSpec | None) -> None:
    """Raise CapacityError unless stores fit on the disk of `home`, and processes into this machine's memory."""
    refuse_store(sum(each.disk for each in estimates.values()), home)
    if cluster is None or cluster.is_on_this_machine:
        for each in estimates.values():
            refuse_memory(each.memory, each.workers, min(each.tile, each.images))


def _processes(cluster: ClusterSpec | None) -> int:
    """Return how many processes run tasks at once, or 1 if only the scheduler knows."""
    if isinstance(cluster, GpuSpec):
        return len(gpu_ids(cluster.gpus))
    workers: int = getattr(cluster, "workers", 1)
    return workers


@contextmanager
def _process_like_workers(cluster: ClusterSpec | None, console: Console) -> Iterator[Callable[..., Any]]:
    """Yield a caller of functions in a process like those that will run the tasks."""
    if cluster is None:
        yield partial(call_in_new_process, {})
    else:
        with dask_executor(_single(cluster), partial(console.print, markup=False)) as executor:
            yield executor.call


def _single(cluster: ClusterSpec) -> ClusterSpec:
    """Return the same cluster with one process, if its number of processes can be set."""
    counts = {"workers", "gpus"} & set(type(cluster).model_fields)
    return cluster.model_copy(update=dict.fromkeys(counts, 1))
