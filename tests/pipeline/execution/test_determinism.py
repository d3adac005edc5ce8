"""One audit, one store: the bytes of the serial run, wherever and however it runs."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from s3_server import Bucket, objects
from small_audits import Finished, Watch, create_like, edit, finish, job_of, run, same, store_in, tree, write_audit
from torch import Tensor

from pipeline.execution.executors import serial_executor
from pipeline.execution.on_dask.executor import dask_executor
from pipeline.inputs.data import Data
from pipeline.machine.phases import Tell, tell_nobody
from pipeline.plan.schema import PREPARED
from pipeline.plan.selection import Selection
from pipeline.plan.tasks import Task
from pipeline.spec.deployment import LocalSpec
from pipeline.stages.compute import compute
from pipeline.stages.context import Context
from pipeline.store.store import NAME, Arrays, Store


@pytest.mark.faults
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_processes_make_the_bytes_of_the_serial_run(
    finished: Finished, spec: Path, tmp_path: Path, workers: int
) -> None:
    with dask_executor(LocalSpec(workers=workers)) as executor:
        watch = finish(spec, tmp_path / "run", executor).watch
    assert 1 <= len({outcome.work.process for outcome in watch.outcomes if outcome.work}) <= workers
    assert tree(tmp_path / "run" / NAME) == tree(finished.job.store)


@pytest.mark.faults
def test_processes_fill_a_bucket_with_the_bytes_of_the_serial_run(
    finished: Finished, spec: Path, bucket: Bucket
) -> None:
    job = replace(job_of(spec, spec.parent), store=bucket / "audits" / NAME)
    with dask_executor(LocalSpec(workers=2)) as executor:
        run(job, executor, Watch())
    assert objects(job.store) == tree(finished.job.store)


@pytest.mark.faults
def test_processes_go_on_where_a_serial_run_stopped(finished: Finished, spec: Path, tmp_path: Path) -> None:
    """In the middle of the second stage."""
    job = job_of(spec, tmp_path / "run")
    run(job, serial_executor, Watch(), Selection("attribute"))
    opened = Store(job.store)
    opened.receipts.withdraw(["attribute-00000-01", "attribute-00001-02"])
    with dask_executor(LocalSpec(workers=2)) as executor:
        run(job, executor, Watch())
    assert tree(job.store) == tree(finished.job.store)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Return an undisturbed serial run with two draws of noise, in which a method that draws is explained twice."""
    folder = tmp_path_factory.mktemp("drawn")
    return finish(_with_draws(write_audit(folder / "audit")), folder / "run")


def _with_draws(spec: Path) -> Path:
    return edit(spec, "strengths = [0.1]", "strengths = [0.1]\ndraws = 2")


def test_draws_and_repeats_of_a_resumed_run_are_those_of_a_whole_one(
    drawn: Finished, spec: Path, tmp_path: Path
) -> None:
    """Stopped after the first stage, and again with a task of each other stage done."""
    job = job_of(_with_draws(spec), tmp_path / "run")
    run(job, serial_executor, Watch(), Selection("perturb"))
    run(job, serial_executor, Watch(), Selection("attribute"))
    Store(job.store).receipts.withdraw(["perturb-00000-02", "attribute-00000-02", "attribute-00001-00"])
    run(job, serial_executor, Watch())
    stored = tree(job.store)
    assert any(name.startswith("repeat_attribution/c/") for name in stored)
    assert {"gaussian_noise@0.1#1", "gaussian_noise@0.1#2"} <= {each.id for each in drawn.context.conditions}
    assert stored == tree(drawn.job.store)


@pytest.mark.faults
def test_draws_and_repeats_of_two_processes_are_those_of_one(drawn: Finished, spec: Path, tmp_path: Path) -> None:
    with dask_executor(LocalSpec(workers=2)) as executor:
        run(job_of(_with_draws(spec), tmp_path / "run"), executor, Watch())
    assert tree(tmp_path / "run" / NAME) == tree(drawn.job.store)


class Subset:
    """Some images of a data set."""

    def __init__(self, data: Data, rows: Sequence[int]) -> None:
        self._data, self._rows = data, rows
        self.ids, self.labels = tuple(data.ids[row] for row in rows), tuple(data.labels[row] for row in rows)
        self.classes, self.has_masks = data.classes, data.has_masks
        self.digest, self.description, self.notes = data.digest, data.description, data.notes

    def check(self, tell: Tell = tell_nobody) -> None:
        self._data.check(tell)

    def images(self, rows: Sequence[int]) -> Tensor:
        return self._data.images([self._rows[row] for row in rows])

    def masks(self, rows: Sequence[int]) -> Tensor:
        return self._data.masks([self._rows[row] for row in rows])

    def ignored_pixels(self, rows: Sequence[int]) -> Tensor:
        return self._data.ignored_pixels([self._rows[row] for row in rows])


def closed_subset(context: Context) -> list[int]:
    """The fewest images that hold each other's target images, the last first."""
    targets = context.target_images.tolist()

    def followed(rows: set[int]) -> set[int]:
        more = rows | {targets[row] for row in rows}
        return rows if more == rows else followed(more)

    return min((sorted(followed({row}), reverse=True) for row in range(len(targets))), key=len)


def audit_of(context: Context, rows: Sequence[int], folder: Path, tile: int) -> Context:
    """An audit of some images, in tiles of its own, that holds what was stored of their inputs."""
    asked = {
        question: tuple(sorted(rows.index(row) for row in positions if row in rows))
        for question, positions in context.plan.asked.items()
    }
    plan = replace(context.plan, sizes={**context.plan.sizes, "image": len(rows)}, tile=tile, asked=asked)
    prepared = {name: context.store.read(name)[rows] for name in PREPARED}
    prepared["target_image"] = np.array([rows.index(row) for row in prepared["target_image"].tolist()])
    create_like(store_in(folder), context.store, plan, prepared)
    return replace(context, plan=plan, store=Store(store_in(folder)), data=Subset(context.data, rows))


def stored(context: Context, rows: Sequence[int], part: Context, task: Task) -> Arrays:
    """What the whole audit holds where the task of the part writes."""
    places = [rows[row] for row in part.rows(task)]
    regions = {variable.name: part.plan.region(task, variable)[1:] for variable in part.plan.variables(task)}
    return {name: context.store.read(name)[places][:, *region] for name, region in regions.items()}


@pytest.mark.parametrize("tile", [1, 2, 3])
def test_some_images_get_the_maps_and_scores_of_the_whole(finished: Finished, tmp_path: Path, tile: int) -> None:
    """Given the stored inputs, in another order and in other tiles."""
    whole = finished.context
    rows = closed_subset(whole)
    assert 1 < len(rows) < len(whole.data.ids)
    part = audit_of(whole, rows, tmp_path, tile)
    for task in part.plan.all_tasks():
        given = stored(whole, rows, part, task)
        made = given if task.stage == "perturb" else compute(part, task)
        assert same(made, given), task.key
        part.store.write(task, made)
