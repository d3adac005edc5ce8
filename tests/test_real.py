"""Audits of networks and images that nobody here made; they lie where SRD_AUDIT_REAL says."""

import os
from pathlib import Path

import numpy as np
import pytest
from small_audits import finish, job_of

from pipeline.execution.preparation import prepare_store
from pipeline.execution.subjects import load_subject
from pipeline.plan.schema import REASONS
from pipeline.store.results import open_results
from srd.registry import MAP_METRICS

VARIABLE = "SRD_AUDIT_REAL"
HOME = Path(os.environ.get(VARIABLE, ""))

SPEC = """
[model]
spec = "{home}/{network}"
weights = "{home}/{weights}"
mean = {mean}
std = {std}
{classes}

[data]
path = "{home}/images"
{n}

[explain]
methods = ["srd", "saliency"]

[[perturbation]]
name = "random_sign"
strengths = ["8/255"]

[run]
tile = {tile}
"""

CIFAR10 = {
    "network": "cifar_resnet.py:resnet20",
    "weights": "resnet20.pt",
    "mean": "[0.485, 0.456, 0.406]",
    "std": "[0.229, 0.224, 0.225]",
    "classes": "",
}
IMAGENET = {
    "network": "mobilenet_v2.py:mobilenet_v2",
    "weights": "mobilenet_v2_fp16.pt",
    "mean": "[0.5, 0.5, 0.5]",
    "std": "[0.5, 0.5, 0.5]",
    "classes": 'classes = "{home}/classes.json"',
}
REAL = {"cifar10": (CIFAR10, 160, 200), "imagenet": (IMAGENET, 57, 63)}

pytestmark = pytest.mark.skipif(
    not (VARIABLE in os.environ and HOME.is_dir()),
    reason=f"set {VARIABLE} to the folder that holds cifar10/ and imagenet/",
)
every_audit = pytest.mark.parametrize("name", REAL)


def write_spec(folder: Path, name: str, n: int | None, tile: int) -> Path:
    home = (HOME / name).resolve()
    facts = {key: value.format(home=home) for key, value in REAL[name][0].items()}
    spec = folder / f"{name}.toml"
    spec.write_text(SPEC.format(home=home, n=f"n = {n}" if n else "", tile=tile, **facts), encoding="utf-8")
    return spec


@every_audit
def test_as_many_images_are_classified_as_expected(name: str, tmp_path: Path) -> None:
    _, correct, n = REAL[name]
    job = job_of(write_spec(tmp_path, name, n=None, tile=25), tmp_path / "run")
    attributes = prepare_store(job, load_subject(job))
    assert attributes.plan.sizes["image"] == n
    assert attributes.correct == correct


@every_audit
def test_a_small_audit_runs_to_its_end(name: str, tmp_path: Path) -> None:
    run = finish(write_spec(tmp_path, name, n=4, tile=2), tmp_path / "run")
    assert not any(outcome.error for outcome in run.watch.outcomes)
    dataset = open_results(run.job.store).load()
    assert dict(dataset["score"].sizes) == {"image": 4, "perturbation": 2, "method": 2, "metric": len(MAP_METRICS)}
    needs_mask = np.array([entry.of == "map and mask" for entry in MAP_METRICS.values()])
    reasons = dataset["reason"].values
    assert (reasons[..., needs_mask] == REASONS.index("the data set has no masks")).all()
    assert (reasons[..., ~needs_mask] == 0).all()
    assert (np.isnan(dataset["score"].values) == (reasons > 0)).all()
    assert (dataset["attribution"].max(["y", "x"]) > 0).all()
