"""The sources of a stage: no module is missed that its tasks import, and none of what they do not."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from small_audits import Finished, change_sources, finish, object_path, path_of, write_audit

from pipeline.execution import stage_sources
from pipeline.execution.stage_sources import sources_of, spec_keys
from pipeline.machine.sources import ROOT
from pipeline.plan.stages import STAGES
from pipeline.spec.audit import parse_spec
from pipeline.stages.compute import compute
from pipeline.store.sources import PREPARING, Sources
from srd.registry import ATTRIBUTORS, METRICS

WIDE = """
[model]
spec = "network.py:build"
weights = "weights.pt"
classes = "classes.json"
[data]
path = "images"
masks = "masks"
[explain]
methods = ["srd", "grad_cam", "expected_gradients", "srd@relu1"]
[[perturbation]]
name = "gaussian_noise"
strengths = [0.1]
[[perturbation]]
name = "rotation"
strengths = [5]
[[perturbation]]
name = "imagenet_c_snow"
strengths = [2]
[[perturbation]]
name = "pgd"
strengths = ["8/255"]
options.steps = 1
[[perturbation]]
name = "universal"
strengths = ["8/255"]
against = ["grad_cam"]
options.steps = 1
options.restarts = 1
[[perturbation]]
name = "hide"
strengths = ["8/255"]
against = ["srd"]
options.steps = 1
options.restarts = 1
[run]
tile = 6
"""
"""An audit of every kind of entry."""

PERFORM = """\
import sys
from pathlib import Path
from pipeline.execution import worker
from pipeline.execution.job import Job
from pipeline.plan.tasks import Task
from pipeline.spec.audit import load_spec
from pipeline.store.location import Location
spec, store, *keys = sys.argv[1:]
for key in keys:
    worker.perform(Job(load_spec(Path(spec)), Path(spec).parent, Location(store)), Task.from_key(key))
for name, module in sys.modules.items():
    if name.partition(".")[0] in {"srd", "attacks", "pipeline"}:
        print(module.__file__)
"""


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("wide")
    spec = write_audit(folder)
    spec.write_text(WIDE, encoding="utf-8")
    return finish(spec, folder / "run")


def followed(sources: Sources, stage: str) -> set[str]:
    """Return the files of a stage and of those that it reads, whose digests its own digest covers."""
    own = sources.stages[stage]
    return set(own.files).union(*(followed(sources, read) for read in own.reads))


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_all_that_a_task_imports_is_among_the_sources_of_its_stage(wide: Finished, stage: str) -> None:
    keys = [task.key for task in wide.context.plan.tasks(stage)]
    assert keys
    command = [sys.executable, "-P", "-c", PERFORM, str(wide.spec), str(path_of(wide.job.store)), *keys]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, env=environment, check=True, timeout=300, capture_output=True, encoding="utf-8")
    imported = {Path(line).relative_to(ROOT).as_posix() for line in ended.stdout.split()}
    sources = sources_of(wide.job.spec, wide.context.plan)
    assert len(imported) > 50
    assert imported <= followed(sources, stage)


def test_the_store_says_what_it_was_made_with(wide: Finished) -> None:
    sources = sources_of(wide.job.spec, wide.context.plan)
    stored = object_path(wide.job.store, "_preparation", "sources").read_text(encoding="utf-8")
    assert Sources.model_validate_json(stored) == sources
    assert wide.attributes.fingerprinted.sources == sources.digests()
    assert list(sources.stages) == [PREPARING, *STAGES]


ASKING = "occlude remove randomise"
"""The stages that read what the earlier ones wrote, and ask the network."""


@pytest.mark.parametrize(
    ("file", "stages"),
    [
        ("srd/metrics/share_90.py", "score"),
        # attacks on explanations measure maps as well
        ("srd/metrics/_maps.py", f"fit perturb attribute {ASKING} score"),
        ("srd/metrics/ssim.py", "preparation score"),
        ("srd/baselines/edges.py", "occlude score"),
        ("srd/rules.py", f"preparation fit perturb attribute {ASKING} score"),
        ("srd/baselines/expected_gradients.py", "preparation attribute remove randomise score"),
        ("srd/layers.py", "preparation attribute remove randomise score"),
        ("attacks/corruptions/imagenet_c/weather.py", f"perturb attribute {ASKING} score"),
        ("attacks/explanations/universal.py", f"fit perturb attribute {ASKING} score"),
        ("attacks/manipulated_models/goals.py", ""),
        ("srd/baselines/rise.py", ""),
        ("srd/concepts.py", ""),
        ("pipeline/execution/law_checks.py", "preparation"),
        ("pipeline/execution/worker.py", f"fit perturb attribute {ASKING} score"),
        ("pipeline/stages/score.py", "score"),
        ("pipeline/store/packing.py", f"attribute {ASKING} score"),
        ("pipeline/estimate/pilot.py", ""),
        ("pipeline/execution/on_dask/executor.py", ""),
    ],
)
def test_a_change_reaches_the_stages_that_it_may_change(
    wide: Finished, monkeypatch: pytest.MonkeyPatch, file: str, stages: str
) -> None:
    before = wide.attributes.fingerprinted.sources
    change_sources(monkeypatch, file)
    after = sources_of(wide.job.spec, wide.context.plan).digests()
    assert [stage for stage in before if before[stage] != after[stage]] == stages.split()


def test_rules_of_srd_do_not_reach_images_that_no_method_is_attacked_on(
    finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = parse_spec(
        {
            "model": {"spec": "demo:vgg"},
            "data": {"path": "demo:shapes"},
            "explain": {"methods": ["srd"]},
            "perturbation": [{"name": "gaussian_noise", "strengths": [0.1]}, {"name": "pgd", "strengths": ["8/255"]}],
        },
        "",
    )
    found = sources_of(spec, finished.context.plan).stages
    assert "srd/rules.py" in found["attribute"].files
    assert "srd/rules.py" not in found["perturb"].files


def test_the_facts_of_each_entry_of_a_folder_lie_in_the_file_of_its_name() -> None:
    """That file is read as text, which no import shows."""
    for folder, registry in (("baselines", ATTRIBUTORS), ("metrics", METRICS)):
        files = {file.stem: file for file in (ROOT / "srd" / folder).glob("[!_]*.py")}
        assert all(f'name="{name}"' in file.read_text(encoding="utf-8") for name, file in files.items())
        assert files.keys() <= set(registry)


def test_keys_of_single_stages_are_keys_of_a_spec(finished: Finished) -> None:
    table = finished.job.spec.model_dump(mode="json")
    for key in spec_keys():
        stage_sources._value(table, key)


class Recorded:
    """A part of a spec that remembers which of its keys are read."""

    def __init__(self, part: Any, place: str, read: set[str]) -> None:
        self._part, self._place, self._read = part, place, read

    def __getattr__(self, name: str) -> Any:
        value, place = getattr(self._part, name), f"{self._place}.{name}".strip(".")
        self._read.add(place)
        return Recorded(value, place, self._read) if isinstance(value, BaseModel) else value


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_names_the_keys_that_it_reads_of_those_that_a_store_survives(wide: Finished, stage: str) -> None:
    read: set[str] = set()
    task = next(wide.context.plan.tasks(stage))
    compute(replace(wide.context, spec=Recorded(wide.context.spec, "", read)), task)  # type: ignore[arg-type]
    assert {key for key in spec_keys() if key in read} <= set(STAGES[stage].spec_keys)
