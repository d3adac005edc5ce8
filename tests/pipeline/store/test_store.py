"""A task's region is written and read whole, and results have names; order and races leave no trace."""

from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from small_audits import Finished, tree
from small_stores import PLAN, arrays, at, make, shard_file

from pipeline.plan.stages import STAGES, VARIABLES
from pipeline.plan.tasks import Task
from pipeline.store.results import open_results
from pipeline.store.store import (
    Store,
    progress,
    remove_litter,
)
from srd.errors import DamagedTask


@pytest.mark.parametrize("stage", STAGES)
def test_what_is_written_is_read_and_nothing_else_changes(made: Store, stage: str) -> None:
    tasks = [task for task in PLAN.all_tasks() if task.stage == stage]
    for task in tasks:
        made.write(task, arrays(task))
    for task in tasks:
        for name, values in arrays(task).items():
            read = made.read(name, *PLAN.region(task, VARIABLES[name]))
            assert read.tobytes() == values.tobytes()
            assert read.dtype == values.dtype


@pytest.mark.parametrize("stage", STAGES)
def test_a_result_without_a_single_number_leaves_its_objects_and_receipt(path: Path, made: Store, stage: str) -> None:
    task = Task(stage, 0, 1)
    empty = {
        name: np.full_like(values, np.nan if values.dtype.kind == "f" else 0) for name, values in arrays(task).items()
    }
    made.write(task, empty)
    assert task.key in made.receipts.task_keys()
    assert all(shard_file(path, task, name).stat().st_size for name in empty)


def test_two_writers_of_one_region_end_in_the_same_bytes(path: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    task = Task("attribute", 0, 0)
    make(alone).write(task, arrays(task))
    make(path)
    writers = [Thread(target=Store(at(path)).write, args=(task, arrays(task))) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert tree(path) == tree(alone)


def test_the_order_of_tasks_leaves_no_trace(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    one, reverse, tasks = make(path), make(other), list(PLAN.all_tasks())
    for task in tasks:
        one.write(task, arrays(task))
    for task in reversed(tasks):
        reverse.write(task, arrays(task))
    assert tree(path) == tree(other)


def test_results_have_named_dimensions_and_coordinates(finished: Finished) -> None:
    dataset = open_results(finished.job.store)
    context = finished.context
    written = {name: variable for name, variable in VARIABLES.items() if context.plan.holds(variable)}
    assert VARIABLES.keys() - written.keys() == {"displacement"}
    for name, variable in written.items():
        assert dataset[name].dims == variable.dims
    assert dataset["image"].values.tolist() == list(context.data.ids)
    assert dataset["class"].values.tolist() == ["Red", "Green", "Blue"]
    assert dataset["method"].values.tolist() == ["srd", "saliency", "random"]
    assert dataset["method_title"].sel({"method": "srd"}).item() == "SRD"
    assert dataset["perturbation"].values.tolist() == [condition.id for condition in context.conditions]
    selected = dataset.sel(perturbation="manipulate:srd@8/255")
    assert selected["perturbation_name"].item() == "manipulate"
    assert selected["perturbation_strength"].item() == 8 / 255
    assert selected["perturbation_norm"].item() == "L-inf"
    assert selected["perturbation_against"].item() == "srd"
    assert set(dataset["score"].coords) >= {"image", "perturbation", "method", "metric", "perturbation_family"}


def test_results_are_read_when_they_are_used(finished: Finished) -> None:
    dataset = open_results(finished.job.store)
    assert not dataset["attribution"].variable._in_memory
    one = dataset["input"].isel(image=1, perturbation=0).values
    assert one.tobytes() == finished.context.store.read("input", 1, 0).tobytes()


def test_progress_counts_done_and_planned(path: Path, made: Store) -> None:
    made.write(Task("perturb", 0, 0), arrays(Task("perturb", 0, 0)))
    asked = {"occlude": (0, 2), "remove": (0, 4), "randomise": (0, 2)}
    assert progress(at(path)) == {"fit": (0, 1), "perturb": (1, 6), "attribute": (0, 6), **asked, "score": (0, 6)}


def test_litter_is_removed_and_nothing_else(path: Path, made: Store) -> None:
    task = Task("perturb", 0, 0)
    made.write(task, arrays(task))
    before = tree(path)
    (shard_file(path, task, "input").parent / "0.4f2a.partial").write_bytes(b"half")
    remove_litter(at(path))
    assert tree(path) == before


@pytest.mark.parametrize("stage", STAGES)
def test_what_a_task_wrote_is_read_whole(made: Store, stage: str) -> None:
    for task in PLAN.tasks(stage):
        made.write(task, arrays(task))
        read = made.read_output(task, arrays(task))
        assert {name: values.tobytes() for name, values in read.items()} == {
            name: values.tobytes() for name, values in arrays(task).items()
        }
        assert list(made.find_damage([task])) == []


def test_a_part_is_read_for_less_and_a_hole_is_still_seen(path: Path, made: Store) -> None:
    task = Task("attribute", 1, 1)
    written = arrays(task)
    made.write(task, written)
    assert made.read_image(task, "scale", 2).tobytes() == written["scale"][0].tobytes()
    assert made.read_image(task, "attribution", 2).tobytes() == written["attribution"][0].tobytes()
    for name in ("scale", "attribution"):
        for damaged in (None, b"", shard_file(path, task, name).read_bytes()[:-5]):
            file = shard_file(path, task, name)
            file.unlink() if damaged is None else file.write_bytes(damaged)
            with pytest.raises(DamagedTask, match=f"^{task.key}: {name} "):
                made.read_image(task, name, 2)


def test_a_map_that_is_not_finite_is_no_hole(made: Store) -> None:
    task = Task("attribute", 0, 0)
    made.write(task, {name: np.full_like(values, np.nan) for name, values in arrays(task).items()})
    assert np.isnan(made.read_image(task, "attribution", 0)).all()
