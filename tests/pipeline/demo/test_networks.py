"""The two demo networks: their layers, and the files that are shipped."""

import hashlib
import json
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from pipeline.demo.networks import FOLDER, MEAN, NETWORKS, STD, load, normalise, small_resnet, small_vgg, weights_file
from pipeline.demo.shapes import CLASSES, TEST_SEED, TRAIN_SEED

PLAIN = (nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.MaxPool2d, nn.AdaptiveAvgPool2d, nn.Flatten, nn.Linear)
MEGABYTE = 10**6

every_network = pytest.mark.parametrize("name", NETWORKS)


def facts(name: str) -> dict[str, Any]:
    stored: dict[str, dict[str, Any]] = json.loads((FOLDER / "models.json").read_text(encoding="utf-8"))
    return stored[name]


@every_network
def test_logits_have_one_row_an_input_and_one_column_a_class(name: str) -> None:
    assert load(name)(torch.zeros(3, 3, 48, 48)).shape == (3, len(CLASSES))


@every_network
def test_only_plain_layers_and_none_in_place(name: str) -> None:
    leaves = [module for module in load(name).modules() if not any(module.children())]
    for leaf in leaves:
        assert isinstance(leaf, PLAIN) or not list(leaf.parameters())
        assert not getattr(leaf, "inplace", False)


def test_the_names_are_those_of_the_field() -> None:
    assert {name for name, _ in small_vgg().named_children()} == {"features", "classifier"}
    assert {"conv1", "layer1", "layer4", "avgpool", "fc"} <= {name for name, _ in small_resnet().named_children()}


@every_network
def test_loaded_is_float32_in_evaluation_mode_and_as_shipped(name: str) -> None:
    network = load(name)
    stored = load_file(weights_file(name))
    assert not any(module.training for module in network.modules())
    assert all(parameter.dtype == torch.float32 for parameter in network.parameters())
    for key, value in network.state_dict().items():
        assert torch.isfinite(value).all()
        assert (value == stored[key].to(value.dtype)).all()


@every_network
def test_loading_leaves_the_global_random_state_as_found(name: str) -> None:
    before = torch.get_rng_state()
    load(name)
    assert torch.equal(before, torch.get_rng_state())


def test_an_unknown_network_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"'vit'.*vgg, resnet"):
        load("vit")


@every_network
def test_the_file_is_the_one_that_was_measured(name: str) -> None:
    content = weights_file(name).read_bytes()
    assert hashlib.sha256(content).hexdigest() == facts(name)["sha256"]
    assert facts(name)["file"] == weights_file(name).name
    assert len(content) <= MEGABYTE


@every_network
def test_the_stated_accuracy_is_of_pictures_that_were_not_trained_on(name: str) -> None:
    stated = facts(name)
    assert stated["training_seed"] == TRAIN_SEED
    assert stated["test_seed"] == TEST_SEED
    assert stated["accuracy"] >= 0.98
    assert stated["test_pictures"] >= 600


def test_normalised_is_by_channel() -> None:
    pictures = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    mean, std = (0.1, 0.2, 0.3), (1.0, 2.0, 4.0)
    for channel in range(3):
        expected = (pictures[:, channel] - mean[channel]) / std[channel]
        torch.testing.assert_close(normalise(pictures, mean, std)[:, channel], expected)
    assert normalise(torch.tensor(MEAN).view(1, 3, 1, 1)).abs().max() == 0
    torch.testing.assert_close(
        normalise(torch.ones(1, 3, 1, 1)) * torch.tensor(STD).view(-1, 1, 1), torch.full((1, 3, 1, 1), 0.5)
    )
