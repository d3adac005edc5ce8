"""A process makes the context of a job once, and only where it would make the bytes of the store."""

from pathlib import Path

import pytest
from small_audits import Finished, change_sources, finish, write_picture

from pipeline.execution.calls import perform
from pipeline.execution.subjects import context_of
from pipeline.plan.tasks import Task
from srd.errors import ForeignWorker


@pytest.fixture
def run(spec: Path, tmp_path: Path) -> Finished:
    return finish(spec, tmp_path / "run")


def test_other_images_under_the_same_names_are_refused(run: Finished) -> None:
    context_of.cache_clear()
    write_picture(run.spec.parent, 1, "red/0.png")
    with pytest.raises(ForeignWorker, match=r"would not make the same bytes \(it differs in: data\)"):
        perform(run.job, Task("perturb", 0, 0))


def test_another_network_is_refused(run: Finished) -> None:
    context_of.cache_clear()
    network = run.spec.parent / "network.py"
    network.write_text(network.read_text(encoding="utf-8") + "\n# another\n", encoding="utf-8")
    with pytest.raises(ForeignWorker, match="it differs in: network"):
        perform(run.job, Task("perturb", 0, 0))


def test_other_sources_of_any_stage_are_refused_by_its_name(run: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    context_of.cache_clear()
    change_sources(monkeypatch, "srd/metrics/share_90.py")
    with pytest.raises(ForeignWorker, match=r"it differs in: sources\.score\); run all workers .* with the same code"):
        perform(run.job, Task("perturb", 0, 0))
