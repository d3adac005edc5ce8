"""Laws of units: multiplied, they cost what the task costs. The clock of these tests counts passes of the network."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_audits import Finished

from attacks.registry import PERTURBATIONS
from pipeline.estimate import pilot as measuring
from pipeline.estimate import units
from pipeline.estimate.estimate import Pilot
from pipeline.estimate.pilot import measure
from pipeline.estimate.units import UnitMeasurement, measure_unit
from pipeline.machine.phases import Phase
from pipeline.plan.conditions import Condition
from pipeline.plan.tasks import Task
from pipeline.spec.audit import load_spec
from pipeline.stages.attribute import attribute
from pipeline.stages.compute import compute
from pipeline.stages.context import Context
from pipeline.store.store import Arrays

ATTACK = 3
"""The column of the small audit's manipulation."""


@contextmanager
def counting(context: Context) -> Iterator[Callable[[], float]]:
    """Yield the number of images that have passed the network, but for the one by which a process finds its batches."""
    assert context.rows_at_once
    passed = [0.0]

    def count(_: Any, inputs: tuple[Any, ...], __: Any) -> None:
        passed[0] += len(inputs[0])

    hook = context.model.network.register_forward_hook(count)
    try:
        yield lambda: passed[0]
    finally:
        hook.remove()


def attacked_by(context: Context, name: str, method: str, options: dict[str, Any]) -> Context:
    """Return a context whose attack is another one."""
    norm = PERTURBATIONS[name].norm or ""
    condition = Condition("attack", name, "attack", 8 / 255, "8/255", norm, method, options)
    return replace(context, conditions=(*context.conditions[:ATTACK], condition))


def predictions_attacked_by(context: Context, name: str, options: dict[str, Any]) -> Context:
    """Return a context whose attack is one on predictions, at a strength so small that it never stops early."""
    strength = 1e-6 if PERTURBATIONS[name].strength else 0.0
    condition = Condition("attack", name, "attack", strength, "1e-6", PERTURBATIONS[name].norm or "", "", options)
    return replace(context, conditions=(*context.conditions[:ATTACK], condition))


def measure_and_compute(
    context: Context, task: Task, monkeypatch: pytest.MonkeyPatch
) -> tuple[UnitMeasurement, Arrays, float]:
    """Return the unit of a task, and what the whole task makes and costs, counted in passes of the network."""
    with counting(context) as passed:
        monkeypatch.setattr(units, "perf_counter", passed)
        monkeypatch.setattr(units, "DEAR", 0.0)
        expected = measure_unit(context, task)
        before = passed()
        arrays = compute(context, task)
        true = passed() - before
    assert expected is not None
    return expected, arrays, true


@pytest.mark.parametrize(
    ("name", "method", "options"),
    [
        ("manipulate", "saliency", {"steps": 15}),
        ("manipulate", "saliency", {"steps": 1, "restarts": 1}),
        pytest.param("manipulate", "srd", {"steps": 60}, marks=pytest.mark.slow),
        ("untargeted_l2", "saliency", {"steps": 100, "restarts": 1}),
        pytest.param("top_k", "srd", {"steps": 40, "restarts": 3}, marks=pytest.mark.slow),
        ("black_box", "saliency", {"steps": 10}),
        pytest.param("black_box", "srd", {"steps": 4, "pairs": 30}, marks=pytest.mark.slow),
    ],
)
def test_a_step_times_the_steps_is_the_attack(
    finished: Finished, monkeypatch: pytest.MonkeyPatch, name: str, method: str, options: dict[str, Any]
) -> None:
    """Were no restart given up: that makes an attack cheaper than its estimate."""
    monkeypatch.setattr("attacks.explanations.ascent.CHECKS", ())
    context, task = attacked_by(finished.context, name, method, options), Task("perturb", 0, ATTACK)
    expected, arrays, true = measure_and_compute(context, task, monkeypatch)
    assert expected.seconds == pytest.approx(true, rel=0.1)
    shapes = {key: (value.shape, value.dtype) for key, value in arrays.items()}
    assert {key: (value.shape, value.dtype) for key, value in expected.arrays().items()} == shapes


def test_a_restart_that_is_given_up_is_cheaper_than_the_estimate(
    finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = attacked_by(finished.context, "manipulate", "saliency", {"steps": 16})
    expected, _, true = measure_and_compute(context, Task("perturb", 0, ATTACK), monkeypatch)
    assert 0.6 * expected.seconds < true < 0.95 * expected.seconds


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("pgd", {"steps": 50}),
        ("apgd_ce", {"steps": 60}),
        ("square", {"n_queries": 100}),
        ("spsa", {"nb_iter": 10, "nb_sample": 4}),
        ("fab", {"steps": 30}),
        ("pi_fgsm", {"num_iter_set": 20}),
    ],
)
def test_a_part_of_the_budget_times_the_parts_is_an_attack_on_predictions(
    finished: Finished, monkeypatch: pytest.MonkeyPatch, name: str, options: dict[str, Any]
) -> None:
    context, task = predictions_attacked_by(finished.context, name, options), Task("perturb", 0, ATTACK)
    expected, arrays, true = measure_and_compute(context, task, monkeypatch)
    assert expected.seconds == pytest.approx(true, rel=0.05)
    assert {key: value.shape for key, value in expected.arrays().items()} == {k: v.shape for k, v in arrays.items()}


@pytest.mark.parametrize("column", [0, 1])
@pytest.mark.parametrize("tile", [0, 1])
def test_an_image_times_the_images_is_the_task_of_a_method(
    finished: Finished, monkeypatch: pytest.MonkeyPatch, column: int, tile: int
) -> None:
    context, task = finished.context, Task("attribute", tile, column)
    with counting(context) as passed:
        monkeypatch.setattr(units, "perf_counter", passed)
        monkeypatch.setattr(units, "DEAR", 0.0)
        expected = measure_unit(context, task)
        before = passed()
        arrays = attribute(context, task)
        true = passed() - before
    assert expected is not None
    assert expected.seconds == true > 0
    assert {key: value.shape for key, value in expected.arrays().items()} == {k: v.shape for k, v in arrays.items()}


@pytest.mark.parametrize("tile", [0, 1])
@pytest.mark.parametrize(("stage", "column"), [("occlude", 0), ("remove", 0), ("remove", 1)])
def test_a_batch_times_the_questions_is_the_task(
    finished: Finished, monkeypatch: pytest.MonkeyPatch, stage: str, column: int, tile: int
) -> None:
    """The first method is attacked; of the tiles one has three images that are asked about, the other one."""
    expected, arrays, true = measure_and_compute(finished.context, Task(stage, tile, column), monkeypatch)
    assert expected.seconds == true > 0
    made = expected.arrays()
    assert {key: (value.shape, value.dtype) for key, value in made.items()} == {
        key: (value.shape, value.dtype) for key, value in arrays.items()
    }
    unasked = np.isnan(arrays["curve" if stage == "remove" else "occluded"])
    assert (np.isnan(made["curve" if stage == "remove" else "occluded"]) == unasked).all()


@pytest.mark.parametrize("tile", [0, 1])
def test_a_map_by_a_network_drawn_again_times_the_depths_is_the_task(
    finished: Finished, monkeypatch: pytest.MonkeyPatch, tile: int
) -> None:
    expected, arrays, true = measure_and_compute(finished.context, Task("randomise", tile, 1), monkeypatch)
    assert expected.seconds == true > 0
    made = expected.arrays()
    assert {key: value.shape for key, value in made.items()} == {key: value.shape for key, value in arrays.items()}
    for name, values in arrays.items():
        assert (np.isnan(made[name]) == np.isnan(values)).all()


@pytest.mark.parametrize("task", [Task("perturb", 0, ATTACK), Task("attribute", 0, 0), Task("score", 0, 0)])
def test_what_is_cheap_is_measured_whole(finished: Finished, task: Task) -> None:
    assert measure_unit(finished.context, task) is None


@pytest.fixture(scope="module")
def by_units(finished: Finished) -> tuple[Pilot, list[Phase]]:
    """A pilot whose tasks all count as dear, and which took too long for a second trial."""
    told: list[Phase] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(units, "DEAR", -1.0)
        patched.setattr(measuring, "QUICK", 0.0)
        return measure(finished.job.spec, finished.job.base, (), told.append), told


def test_a_long_pilot_has_one_trial_and_its_memory_starts_without_images(by_units: tuple[Pilot, list[Phase]]) -> None:
    pilot, _ = by_units
    assert {len(points) for points in pilot.tasks.values()} == {1}
    assert [images for images, _ in pilot.memory] == [0, 2]
    assert 0 < pilot.memory[0][1] <= pilot.memory[1][1]


def test_units_leave_bytes_as_tasks_do(by_units: tuple[Pilot, list[Phase]], finished: Finished) -> None:
    whole, pilot = measure(load_spec(finished.spec), Path(finished.job.base)), by_units[0]
    for name in ("input", "attribution"):  # scores of one map in the place of all compress better, and are few
        each, truth = (one.arrays[name].bytes / one.plan.sizes["image"] for one in (pilot, whole))
        assert each == pytest.approx(truth, rel=0.2), name


def test_every_measurement_is_told_before_it(by_units: tuple[Pilot, list[Phase]]) -> None:
    details = [phase.detail for phase in by_units[1] if phase.words == "measuring"]
    assert len(details) == 4 + 3 + 1 + 3 + 3 + 3
    assert details[0] == "perturb clean (1 of 17)"
    assert details[3:5] == ["perturb manipulate:srd@8/255 (4 of 17)", "attribute srd (5 of 17)"]
    assert details[-1] == "score random (17 of 17)"
