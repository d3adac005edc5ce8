"""Laws of the pilot: what it measures is what the run does, and nothing of it stays."""

import random
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from small_audits import Finished, edit, finish, object_path, tree, write_audit, write_picture

from pipeline.estimate import pilot as measuring
from pipeline.estimate.estimate import CostEstimate, Pilot, estimate_cost
from pipeline.estimate.pilot import measure
from pipeline.execution.job import Job
from pipeline.execution.new_process import call_in_new_process
from pipeline.execution.subjects import Subject, load_subject
from pipeline.inputs.data import n_images
from pipeline.machine.phases import Tell
from pipeline.plan.conditions import conditions
from pipeline.spec.audit import load_spec
from pipeline.store.receipts import METADATA, RECEIPTS


@pytest.fixture(scope="module")
def measured(finished: Finished) -> Pilot:
    return measure(finished.job.spec, finished.job.base)


@pytest.fixture(scope="module")
def expected(finished: Finished, measured: Pilot) -> CostEstimate:
    spec = finished.job.spec
    return estimate_cost(measured, n_images(spec.data, finished.job.base), spec.run.tile, 1)


def test_it_expects_the_tasks_of_the_run(finished: Finished, expected: CostEstimate) -> None:
    planned = {stage: total for stage, _, total in finished.watch.stages}
    assert {name: stage.tasks for name, stage in expected.stages.items()} == planned


def test_it_expects_the_bytes_of_the_run(finished: Finished, expected: CostEstimate) -> None:
    store = finished.job.store
    sizes = {Path(key): object_path(store, key).stat().st_size for key in tree(store)}
    assert expected.store == pytest.approx(sum(sizes.values()), rel=0.05)
    for name in ("input", "attribution", "score"):
        values = sum(size for file, size in sizes.items() if name in file.parts and file.name != METADATA)
        assert expected.arrays[name] == pytest.approx(values, rel=0.1), name
    receipts = [size for file, size in sizes.items() if RECEIPTS in file.parts and file.name != METADATA]
    assert expected.receipts == sum(receipts)


def test_it_measures_every_method_and_entry_at_two_tiles(finished: Finished, measured: Pilot) -> None:
    spec = finished.job.spec
    assert measured.methods == spec.explain.methods
    assert measured.condition_groups == tuple(condition.group for condition in conditions(spec))
    columns = {(task.stage, task.column) for task in finished.context.plan.all_tasks()}
    assert set(measured.tasks) == columns
    for points in (*measured.tasks.values(), measured.memory):
        assert [images for images, _ in points] == [2, 4]
        assert all(value > 0 for _, value in points)


def test_its_plan_differs_from_the_runs_in_images_and_tile_alone(finished: Finished, measured: Pilot) -> None:
    true = finished.attributes.plan
    assert {**measured.plan.sizes, "image": true.sizes["image"]} == true.sizes
    assert (measured.plan.has_masks, measured.plan.attacks) == (true.has_masks, true.attacks)


@pytest.mark.slow
def test_it_leaves_nothing_behind(spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    before = tree(tmp_path)
    states = torch.get_rng_state(), str(np.random.get_state()), random.getstate()
    measure(load_spec(spec), spec.parent)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (str(np.random.get_state()), random.getstate()) == states[1:]
    assert tree(tmp_path) == before
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.slow
def test_a_run_after_a_pilot_gives_the_same_bytes(finished: Finished, spec: Path, tmp_path: Path) -> None:
    measure(load_spec(spec), spec.parent)
    assert tree(finish(spec, tmp_path / "run").job.store) == tree(finished.job.store)


def test_a_failure_leaves_nothing_behind_either(spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(measuring, "perform", lambda job, task: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        measure(load_spec(spec), spec.parent)
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.slow
def test_few_images_of_many_are_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = write_audit(tmp_path)
    for number in range(40):
        write_picture(tmp_path, 0, f"red/more{number}.png")
    audit = load_spec(spec)
    opened: list[int | None] = []

    def loading(job: Job, *told: Tell) -> Subject:
        opened.append(job.spec.data.n)
        return load_subject(job, *told)

    monkeypatch.setattr(measuring, "load_subject", loading)
    assert measure(audit, spec.parent).plan.sizes["image"] == 4
    assert set(opened) == {2, 4}
    assert n_images(audit.data, spec.parent) == 46


@pytest.mark.parametrize(("tile", "images"), [(1, [0, 1]), (2, [0, 2]), (3, [2, 3]), (100, [2, 4])])
def test_tiles_are_no_larger_than_those_of_the_run(spec: Path, tile: int, images: list[int]) -> None:
    audit = load_spec(edit(spec, "tile = 4", f"tile = {tile}"))
    assert [n for n, _ in measure(audit, spec.parent).memory] == images


def test_images_are_added_until_two_classes_are_predicted(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the first two images, one is made to look like the other."""
    first, second = (spec.parent / "images" / colour / "0.png" for colour in ("blue", "green"))
    second.write_bytes(first.read_bytes())
    assert measure(load_spec(spec), spec.parent).memory[-1][0] == 4


@pytest.mark.slow
def test_another_process_measures_the_same_plan(finished: Finished, measured: Pilot) -> None:
    job = finished.job
    there = call_in_new_process({}, measure, job.spec, job.base)
    assert (there.plan, there.arrays) == (measured.plan, measured.arrays)
    assert there.memory[0][1] < measured.memory[0][1], "this process holds the tests as well"
