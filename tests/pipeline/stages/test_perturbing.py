"""Attacks on explanations in an audit: fitted once, applied to all, with their evidence and threat models stored."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_audits import Finished, Watch, edit, finish, job_of, receipts, run, same, tree, write_audit

from attacks.entries import EVIDENCE
from attacks.registry import PERTURBATIONS
from pipeline.execution.executors import serial_executor
from pipeline.execution.on_dask.executor import dask_executor
from pipeline.execution.preparation import prepare_store
from pipeline.execution.subjects import load_subject
from pipeline.plan import stages as stage_table
from pipeline.plan.conditions import conditions, threat
from pipeline.plan.selection import Selection
from pipeline.plan.tasks import Task
from pipeline.spec.deployment import LocalSpec
from pipeline.stages import fit as fitting
from pipeline.stages.context import Context
from pipeline.stages.fit import fit
from pipeline.stages.perturb import perturb
from pipeline.store.results import open_results
from pipeline.store.store import exists, progress
from srd.errors import DataError

ATTACKS = """[[perturbation]]
name = "gaussian_noise"
strengths = [0.1]

[[perturbation]]
name = "horizontal_flip"

[[perturbation]]
name = "universal"
strengths = ["8/255", "16/255"]
against = ["saliency"]
options = { steps = 2, eight_bits = true }

[[perturbation]]
name = "hide"
strengths = ["8/255"]
against = ["srd"]
options.steps = 2

[[perturbation]]
name = "flip_and_keep_l2"
strengths = [2]
against = ["saliency"]
options.steps = 2

[[perturbation]]
name = "black_box"
strengths = ["8/255"]
against = ["rise"]
options = { steps = 1, pairs = 1 }

"""
TASKS = {"fit": 2, "perturb": 16, "attribute": 6, "occlude": 2, "remove": 6, "randomise": 6, "score": 6}
UNIVERSAL = (3, 4)


def write(folder: Path) -> Path:
    """A small audit with every kind of attack on explanations."""
    spec = write_audit(folder)
    old = "".join(spec.read_text(encoding="utf-8").partition("[[perturbation]]")[1:]).partition("[measure]")[0]
    edit(spec, old, ATTACKS)
    return edit(spec, '["srd", "saliency", "random"]', '["srd", "saliency", "rise"]\noptions.rise.masks = 8')


@pytest.fixture
def attacks(tmp_path: Path) -> Path:
    return write(tmp_path / "audit")


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """An undisturbed serial run."""
    folder = tmp_path_factory.mktemp("attacked")
    return finish(write(folder / "audit"), folder / "run")


@pytest.fixture(scope="module")
def context(attacked: Finished) -> Context:
    return attacked.context


def test_the_fits_are_a_stage_of_their_own_before_all_others(attacked: Finished) -> None:
    assert attacked.watch.stages == [(stage, 0, n) for stage, n in TASKS.items()]
    assert progress(attacked.job.store) == {stage: (n, n) for stage, n in TASKS.items()}


def test_one_displacement_is_added_to_every_image(context: Context) -> None:
    displacement, inputs = context.store.read("displacement"), context.store.read("input")
    for column in UNIVERSAL:
        strength = context.conditions[column].strength
        assert 0 < np.abs(displacement[column]).max() <= strength * (1 + 1e-6)
        moved = 255 * (inputs[:, column] - inputs[:, 0])
        np.testing.assert_allclose(moved, moved.round(), atol=1e-4)
        inside = (inputs[:, column] > 0) & (inputs[:, column] < 1)
        whole = np.broadcast_to((255 * displacement[column] + 1e-3 * np.sign(displacement[column])), moved.shape)
        np.testing.assert_allclose(moved[inside], np.trunc(whole)[inside], atol=1e-3)
    others = [column for column in range(len(context.conditions)) if column not in UNIVERSAL]
    assert np.isnan(displacement[others]).all()


def test_a_fit_sees_as_many_images_as_it_may_drawn_from_all(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[int]] = []
    samples = fitting.samples  # type: ignore[attr-defined]

    def noted(context: Context, rows: list[int]) -> object:
        seen.append(list(rows))
        return samples(context, rows)

    monkeypatch.setattr(fitting, "samples", noted)
    monkeypatch.setitem(stage_table._ROWS, "fit", replace(stage_table.STAGES["fit"], images=3))
    for column in (*UNIVERSAL, UNIVERSAL[0]):
        fit(context, Task("fit", 0, column))
    assert len(seen[0]) == len(set(seen[0])) == 3
    assert seen[0] == seen[1] == seen[2]
    assert seen[0] != [0, 1, 2]


@pytest.mark.parametrize("stage", ["fit", "perturb"])
def test_doing_a_task_again_gives_the_same_bytes_and_leaves_the_global_generator(context: Context, stage: str) -> None:
    random = torch.get_rng_state()
    function = {"fit": fit, "perturb": perturb}[stage]
    for task in context.plan.tasks(stage):
        made = function(context, task)
        assert same(made, function(context, task))
        assert set(made) == {variable.name for variable in context.plan.variables(task)}
        for variable in context.plan.variables(task):
            stored = context.store.read(variable.name, *context.plan.region(task, variable))
            assert stored.tobytes() == np.ascontiguousarray(made[variable.name]).tobytes()
    assert torch.equal(torch.get_rng_state(), random)


def test_evidence_is_nan_where_nothing_was_tried_and_nowhere_else(attacked: Finished) -> None:
    dataset = open_results(attacked.job.store)
    assert dataset["evidence"].values.tolist() == list(EVIDENCE)
    assert dataset.attrs["evidence"] == dict(EVIDENCE)
    steps = {"quarter", "half", "first_restart", "gain_first", "gain_last", "softplus", "exact"}
    untold: dict[str, set[str]] = {
        "clean": set(EVIDENCE),
        "gaussian_noise": set(EVIDENCE),
        "horizontal_flip": set(EVIDENCE),
        "universal": steps,
        "hide": set(),
        "flip_and_keep_l2": set(),
        "black_box": {"softplus", "exact", "gradient_error", "gain_first", "gain_last"},  # one step: no last
    }
    for column, name in enumerate(dataset["perturbation_name"].values.tolist()):
        missing = np.isnan(dataset["attack_evidence"].isel(perturbation=column).values)
        assert (missing == [[entry in untold[name] for entry in EVIDENCE]] * len(missing)).all(), name


def test_flip_and_keep_says_of_which_images_it_changed_the_prediction(context: Context) -> None:
    names = [condition.name for condition in context.conditions]
    column = names.index("flip_and_keep_l2")
    full = context.store.read("attack_evidence", slice(None), column, list(EVIDENCE).index("full"))
    predicted = context.store.read("prediction").argmax(-1)
    assert (np.isfinite(full) == (predicted[:, column] != predicted[:, 0])).all()


def test_every_entry_but_the_clean_one_has_its_threat_model(attacked: Finished) -> None:
    axis = conditions(attacked.job.spec)[1:]
    threats = attacked.attributes.threats
    assert threats == {condition.id: threat(condition) for condition in axis}
    for condition in axis:
        entry = PERTURBATIONS[condition.name]
        assert set(threats[condition.id].budget) == set(entry.budget)
        assert threats[condition.id].access == entry.access
    assert threats["universal:saliency@8/255"].budget == {"steps": 2, "restarts": 2}


@pytest.mark.slow
def test_dask_writes_the_bytes_of_the_serial_run(attacked: Finished, attacks: Path, tmp_path: Path) -> None:
    with dask_executor(LocalSpec(workers=1)) as executor:
        finish(attacks, tmp_path / "run", executor)
    assert tree(job_of(attacks, tmp_path / "run").store) == tree(attacked.job.store)


def test_a_run_goes_on_after_its_fits(attacked: Finished, attacks: Path, tmp_path: Path) -> None:
    job, watch = job_of(attacks, tmp_path / "run"), Watch()
    run(job, serial_executor, Watch(), Selection("fit"))
    assert receipts(job.store) == {f"fit-00000-{column:02d}" for column in UNIVERSAL}
    run(job, serial_executor, watch)
    assert watch.stages[0] == ("fit", 2, 2)
    assert all(outcome.task.stage != "fit" for outcome in watch.outcomes)
    assert tree(job.store) == tree(attacked.job.store)


def test_hiding_objects_without_masks_is_refused_before_any_work(attacks: Path, tmp_path: Path) -> None:
    job = job_of(edit(attacks, 'masks = "masks"\n', ""), tmp_path / "run")
    with pytest.raises(DataError, match=r"hide works by the objects' masks; set data\.masks, or attack by 'top_k'"):
        prepare_store(job, load_subject(job))
    assert not exists(job.store)
