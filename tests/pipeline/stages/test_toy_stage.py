"""A new stage is its file and its row: plan, store, executors, resume, status and estimate know it without more."""

from dataclasses import replace
from pathlib import Path

import dask
import distributed  # noqa: F401  before the configuration of a test: that of its import is to stay
import numpy as np
import pytest
from command_line import Command
from small_audits import TASKS, Finished, Watch, edit, finish, job_of, run, tree
from toy_stage import TOTAL

from pipeline.estimate.estimate import estimate_cost
from pipeline.estimate.pilot import measure
from pipeline.execution import run as running
from pipeline.execution.executors import serial_executor
from pipeline.execution.on_dask.executor import dask_executor
from pipeline.machine.phases import Notice, Phase
from pipeline.plan import stages as stage_table
from pipeline.plan.selection import Selection
from pipeline.spec.audit import load_spec
from pipeline.spec.deployment import LocalSpec
from pipeline.store.results import open_results
from pipeline.store.store import Store, progress
from srd.errors import StoreError

N_TASKS = TASKS["attribute"]


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(stage_table._ROWS, TOTAL.name, TOTAL)


@pytest.fixture
def totalled(registered: None, spec: Path, tmp_path: Path) -> Finished:
    return finish(spec, tmp_path / "toy")


def test_its_array_holds_what_its_tasks_compute(totalled: Finished) -> None:
    store = totalled.context.store
    maps = store.read("attribution").astype(np.float64) * store.read("scale")[..., None, None]
    np.testing.assert_allclose(store.read("total"), maps.sum((-2, -1)), rtol=1e-5, atol=1e-5)
    assert open_results(totalled.job.store)["total"].dims == ("image", "perturbation", "method")


def test_progress_and_the_observer_are_told_of_it(totalled: Finished) -> None:
    assert progress(totalled.job.store) == {stage: (n, n) for stage, n in (TASKS | {"total": N_TASKS}).items()}
    assert totalled.watch.stages[-1] == ("total", 0, N_TASKS)


def test_a_run_goes_on_with_what_is_missing_of_it(totalled: Finished, spec: Path, tmp_path: Path) -> None:
    before = tree(totalled.job.store)
    Store(totalled.job.store).receipts.withdraw(["total-00001-02"])
    assert finish(spec, tmp_path / "toy").watch.stages[-1] == ("total", N_TASKS - 1, N_TASKS)
    assert tree(totalled.job.store) == before


def test_it_waits_for_what_it_reads_and_costs_nothing_else(registered: None, spec: Path, tmp_path: Path) -> None:
    job, watch = job_of(spec, tmp_path / "part"), Watch()
    run(job, serial_executor, watch, Selection("attribute"))
    assert progress(job.store)["total"] == (0, N_TASKS)
    Store(job.store).receipts.withdraw(["attribute-00000-01"])
    run(job, serial_executor, watch)
    assert [outcome.task.key for outcome in watch.outcomes].count("total-00000-01") == 1


def test_a_key_of_the_spec_that_it_alone_reads_costs_its_own_tasks(
    monkeypatch: pytest.MonkeyPatch, spec: Path, tmp_path: Path
) -> None:
    monkeypatch.setitem(stage_table._ROWS, TOTAL.name, replace(TOTAL, spec_keys=("model.outputs_are_logits",)))
    before = tree(finish(spec, tmp_path / "toy").job.store)
    edit(spec, "[model]", "[model]\noutputs_are_logits = true")
    told: list[Phase] = []
    job, watch = job_of(spec, tmp_path / "toy"), Watch()
    running.run(running.prepare_run(job, serial_executor, told.append), serial_executor, watch)
    assert {outcome.task.stage for outcome in watch.outcomes} == {"total"}
    assert Notice("total is done again: model.outputs_are_logits changed") in told
    assert tree(job.store) == tree(finish(spec, tmp_path / "new").job.store) != before


def test_a_key_that_no_stage_names_makes_another_audit(registered: None, spec: Path, tmp_path: Path) -> None:
    finish(spec, tmp_path / "toy")
    edit(spec, "[model]", "[model]\noutputs_are_logits = true")
    with pytest.raises(StoreError, match=r"it differs in: spec\.model\.outputs_are_logits"):
        finish(spec, tmp_path / "toy")


@pytest.mark.slow
def test_workers_of_dask_write_the_same_bytes(totalled: Finished, spec: Path, tmp_path: Path) -> None:
    with (
        dask.config.set({"distributed.worker.preload": ["toy_stage"]}),
        dask_executor(LocalSpec(workers=1)) as executor,
    ):
        job = job_of(spec, tmp_path / "dask")
        prepared = running.prepare_run(job, serial_executor)  # a new process of this machine would not know the stage
        running.run(prepared, executor, Watch())
    assert tree(job.store) == tree(totalled.job.store)


def test_the_commands_know_it(registered: None, command: Command, spec: Path) -> None:
    assert command("run", spec, "--out", "run", "--stage", "total").code == 0
    ended = command("status", "run")
    assert any("total" in line and str(N_TASKS) in line for line in ended.out.splitlines())
    assert command("run", spec, "--out", "run", "--stage", "totl").code == 2


@pytest.mark.slow
def test_its_cost_is_estimated(registered: None, spec: Path) -> None:
    pilot = measure(load_spec(spec), spec.parent)
    found = estimate_cost(pilot, 10, 4, 1)
    assert found.stages["total"].tasks == 3 * 3
    assert found.stages["total"].seconds > 0
    assert "total" in found.arrays
