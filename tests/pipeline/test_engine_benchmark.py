"""The benchmarks of the engine do what they say: same bytes in turns, all receipts, kernels within their tasks."""

from collections.abc import Sequence
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from small_audits import Finished, path_of, tree

from benchmarks.kernels import Audit, Timed, run_audit, time_task
from benchmarks.sizing import size_of
from benchmarks.stores import measure_writing, plan_like, write_finished_run
from pipeline.execution.calls import perform
from pipeline.plan.stages import VARIABLES
from pipeline.plan.tasks import Plan, Task
from pipeline.store.location import Location
from pipeline.store.receipts import METADATA, RECEIPTS
from pipeline.store.store import NAME, progress


@pytest.fixture
def plan(spec: Path) -> Plan:
    return plan_like(spec, image=12)


def test_a_kernel_is_a_part_of_its_task_and_changes_nothing(finished: Finished) -> None:
    before = tree(finished.job.store)
    took = time_task(partial(perform, finished.job), Task("score", 0, 0))
    assert 0 < took.kernel < took.seconds
    assert 0 < took.kernel_cpu < took.cpu
    assert tree(finished.job.store) == before


def test_an_audit_whose_kernels_are_timed_is_the_same_audit(finished: Finished, tmp_path: Path) -> None:
    audit = run_audit(finished.spec, tmp_path / NAME, 1)
    assert tree(tmp_path / NAME) == tree(finished.job.store)
    assert len(audit.tasks) == len(finished.watch.outcomes)
    assert audit.overhead > 0


def test_overhead_is_of_kernels_shared_out_evenly() -> None:
    tasks = [Timed("", "", 0, 2.5, cpu=2.2, kernel=2.0, kernel_cpu=2.0)] * 4
    audit = Audit(2, tasks, preparing=9, starting=9, elapsed=4.4, driver_cpu=0.2)
    assert audit.kernels == 8
    assert audit.overhead == pytest.approx(0.1)
    assert audit.cpu_overhead == pytest.approx(0.125)


def test_both_competitors_write_the_same_shards(spec: Path, plan: Plan, tmp_path: Path) -> None:
    wrote = measure_writing(spec, plan, "attribute", 2, tmp_path)
    assert {name: len(turns) for name, turns in wrote.seconds.items()} == {"Store.write": 2, "plain zarr": 2}
    own, plain = (tree(tmp_path / name) for name in ("own", "plain"))
    receipts = own.keys() - plain.keys()
    assert {Path(name).parent.name for name in receipts} == {RECEIPTS}
    assert len(receipts) == 3
    assert {name: own[name] for name in plain} == plain


def test_a_run_of_receipts_is_finished(spec: Path, plan: Plan, tmp_path: Path) -> None:
    n = write_finished_run(spec, plan, tmp_path / "run")
    counts = progress(Location(str(tmp_path / "run" / NAME)))
    assert sum(done for done, _ in counts.values()) == sum(planned for _, planned in counts.values()) == n


def test_a_plan_differs_in_what_is_asked(spec: Path, finished: Finished) -> None:
    plan, true = plan_like(spec, image=100, tile=7), finished.context.plan
    assert (plan.sizes["image"], plan.tile) == (100, 7)
    assert {**plan.sizes, "image": true.sizes["image"]} == true.sizes


def nbytes_written(array: zarr.Array[Any], files: Sequence[tuple[str, ...]]) -> int:
    """Return the bytes of an array's values, as far as its shards are there along each dimension."""
    keys = np.array([each[2:] for each in files if each[:2] == (array.basename, "c")])
    shards = [-(-size // side) for size, side in zip(array.shape, array.shards or array.chunks, strict=True)]
    there = [len(set(keys[:, dim])) for dim in range(array.ndim)]
    return array.nbytes * prod(there) // prod(shards)


def test_sizes_are_those_of_the_finished_store(finished: Finished) -> None:
    size = size_of(finished.context.plan)
    assert size.tasks == {stage: total for stage, _, total in finished.watch.stages}
    group = zarr.open_group(path_of(finished.job.store), mode="r")
    files = [Path(name).parts for name in tree(finished.job.store)]
    assert size.raw == {name: nbytes_written(array, files) for name, array in group.arrays() if name in VARIABLES}
    names = [Path(name) for name in tree(finished.job.store)]
    assert size.objects == sum(name.name != METADATA and name.parts[0] in {*VARIABLES, RECEIPTS} for name in names)
