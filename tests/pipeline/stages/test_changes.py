"""How far a condition moved images: slow definitions, the encoder of networks of several makes, and what has none."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_audits import edit, finish, job_of
from torch import Tensor

from pipeline.execution.preparation import prepare_store
from pipeline.execution.subjects import load_subject
from pipeline.plan.schema import MEASURES
from pipeline.plan.tasks import Task
from pipeline.stages.context import Context
from pipeline.stages.perturb import perturb
from pipeline.store.results import open_results


def size(values: Tensor) -> Tensor:
    return values.double().square().flatten(1).sum(1).sqrt()


def slow_changes(context: Context, column: int) -> Tensor:
    """By a second pass of each half of the colour network, written out."""
    clean, moved = (torch.from_numpy(context.store.read("input", slice(None), each)) for each in (0, column))
    network: Any = context.model.network
    with torch.no_grad():
        one, other = context.model.normalise(clean), context.model.normalise(moved)
        features = [network.relu2(network.conv2(network.relu1(network.conv1(each)))) for each in (one, other)]
        logits = [network.fc(each.mean((2, 3))) for each in features]
    difference = size(other - one)
    relative = size(features[1] - features[0]) / size(features[0])
    return torch.stack([difference, difference / size(one), size(logits[1] - logits[0]), relative], 1)


def test_every_condition_has_its_change(context: Context) -> None:
    assert context.store.attributes.encoder == "relu2"
    for column in range(len(context.conditions)):
        stored = context.store.read("change", slice(None), column)
        np.testing.assert_allclose(stored, slow_changes(context, column), rtol=1e-3, atol=1e-5)
    assert (context.store.read("change", slice(None), 0) == 0).all()
    assert (context.store.read("change", slice(None), slice(1, None)) > 0).all()


def test_a_network_without_an_encoder_says_so_by_nan_alone(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    attributes = context.store.attributes.model_copy(update={"encoder": ""})
    monkeypatch.setattr(context.store, "attributes", attributes)
    made = perturb(context, Task("perturb", 0, 1))
    stored = context.store.read_output(Task("perturb", 0, 1), ["input", "prediction", "change"])
    feature = list(MEASURES).index("feature_relative")
    assert np.isnan(made["change"][..., feature]).all()
    known = np.arange(len(MEASURES)) != feature
    assert (made["change"][..., known] == stored["change"][..., known]).all()
    assert all(made[name].tobytes() == stored[name].tobytes() for name in ("input", "prediction"))


def test_a_change_is_that_of_the_image_alone(context: Context) -> None:
    noise = [condition.name for condition in context.conditions].index("gaussian_noise")
    with_others = perturb(context, Task("perturb", 0, noise))["change"]
    assert len({row.tobytes() for row in with_others}) == len(with_others)


HEAD = """
import torch
from torch import nn
class Network(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.flat, self.fc = nn.Conv2d(3, 3, 3), nn.Linear(768, 3), nn.Identity()
        nn.init.zeros_(self.conv.bias)
        nn.init.dirac_(self.conv.weight)
    def forward(self, x):
        return {}
def build():
    return Network()
"""


@pytest.mark.parametrize(
    ("forward", "found"),
    [
        ("self.flat(x.flatten(1))", ""),
        ("9 * self.fc(torch.relu(self.conv(x)).mean((2, 3)))", "conv"),
        ("torch.from_numpy(x.detach().numpy()).mean((2, 3)) * 9", ""),
    ],
    ids=["no positions", "a function", "no gradient"],
)
def test_the_preparation_finds_the_encoder_or_does_without(spec: Path, forward: str, found: str) -> None:
    (spec.parent / "network.py").write_text(HEAD.format(forward), encoding="utf-8")
    edit(spec, 'weights = "weights.pt"\n', "")
    edit(spec, 'methods = ["srd", "saliency", "random"]', 'methods = ["random", "edges"]')
    with_noise_alone(spec)
    job = job_of(spec, spec.parent / "run")
    assert prepare_store(job, load_subject(job)).encoder == found


def with_noise_alone(spec: Path) -> None:
    text = spec.read_text(encoding="utf-8")
    spec.write_text(
        text[: text.index('[[perturbation]]\nname = "pgd"')] + text[text.index("[run]") :], encoding="utf-8"
    )


DRAWN = '[[perturbation]]\nname = "gaussian_noise"\nstrengths = [0.1]\n'


def test_draws_are_other_noise_of_one_group(spec: Path, tmp_path: Path) -> None:
    edit(spec, DRAWN, DRAWN + "draws = 3\n")
    with_noise_alone(spec)
    dataset = open_results(finish(spec, tmp_path / "run").job.store)
    ids = ["gaussian_noise@0.1#1", "gaussian_noise@0.1#2", "gaussian_noise@0.1#3"]
    assert dataset["perturbation"].values.tolist() == ["clean", *ids]
    assert dataset["perturbation_group"].values.tolist() == ["clean", *["gaussian_noise@0.1"] * 3]
    assert dataset["perturbation_draw"].values.tolist() == [0, 1, 2, 3]
    assert dataset["perturbation_draw"].dtype == np.int64
    inputs = dataset["input"].values
    assert len({inputs[:, column].tobytes() for column in range(4)}) == 4
    moved = dataset["change"].sel(measure="input_l2").values[:, 1:]
    assert (np.abs(moved / moved.mean(1, keepdims=True) - 1) < 0.2).all()
