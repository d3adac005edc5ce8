"""Only what the network classifies as labelled, chosen in the order of the sample; what is left out is counted."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numbered_images import WIDTH
from PIL import Image

from pipeline.inputs.correct_images import load_images
from pipeline.inputs.data import Data
from pipeline.inputs.models import load_model
from pipeline.spec.data import DataSpec
from pipeline.spec.model import ModelSpec
from srd.errors import DataError, ModelError

NETWORK = '''
from torch import nn
import torch


class Brightest(nn.Module):
    """The brightest channel is the class."""

    def forward(self, x):
        return 20 * x.mean((2, 3))


def build():
    return Brightest()
'''
WRONG = {"green/1.png", "green/2.png", "red/0.png"}
MODEL = ModelSpec(spec="network.py:build", classes="classes.json")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "network.py").write_text(NETWORK, encoding="utf-8")
    (tmp_path / "classes.json").write_text('["red", "green", "blue"]', encoding="utf-8")
    for channel, name in enumerate(("red", "green", "blue")):
        for number in range(5):
            pixels = np.random.default_rng(number).integers(0, 100, (WIDTH, WIDTH, 3), np.uint8)
            pixels[..., (channel + (f"{name}/{number}.png" in WRONG)) % 3] += 100
            (tmp_path / "images" / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / "images" / name / f"{number}.png")
    return tmp_path


def load(base: Path, model: ModelSpec = MODEL, **keys: Any) -> Data:
    return load_images(DataSpec(path="images", **keys), model, base, load_model(model, base))


def test_wrong_images_are_left_out_and_counted(base: Path) -> None:
    whole, correct = load(base), load(base, only_correct=True)
    assert correct.ids == tuple(name for name in whole.ids if name not in WRONG)
    assert correct.notes == (
        "data.only_correct: 3 of 15 images, which are not classified as they are labelled, are left out",
    )
    for row, name in enumerate(correct.ids):
        assert torch.equal(correct.images([row]), whole.images([whole.ids.index(name)]))
        assert correct.labels[row] == whole.labels[whole.ids.index(name)]
    assert correct.description == "12 of 15 images of 3 folders"


@pytest.mark.parametrize("keys", [{}, {"seed": 3}, {"sample": "random"}, {"sample": "stratified", "seed": 8}])
@pytest.mark.parametrize("n", [1, 5, 12])
def test_n_correct_images_are_taken_in_the_order_of_the_choice(base: Path, n: int, keys: dict[str, Any]) -> None:
    order: list[str] = []
    for count in range(1, 16):
        order += [name for name in load(base, n=count, **keys).ids if name not in order]
    right = [name for name in order if name not in WRONG][:n]
    data = load(base, n=n, only_correct=True, **keys)
    assert set(data.ids) == set(right)
    seen = order.index(right[-1]) + 1
    assert data.notes[0].startswith(f"data.only_correct: {seen - n} of {seen} images")


def test_more_correct_images_than_there_are_cannot_be_had(base: Path) -> None:
    with pytest.raises(
        DataError, match=r"data\.only_correct: 12 of 15 images are .*, data\.n asks for 13; ask for fewer"
    ):
        load(base, n=13, only_correct=True)


def test_a_mean_of_other_channels_is_refused(base: Path) -> None:
    model = MODEL.model_copy(update={"mean": (0.5, 0.5), "std": (1.0, 1.0)})
    with pytest.raises(ModelError, match=r"model\.mean has 2 numbers, the images have 3 channels; write one number"):
        load(base, model, only_correct=True)


def test_the_demo_has_no_wrong_images_to_leave_out(base: Path) -> None:
    model = ModelSpec(spec="demo:resnet")
    with pytest.raises(DataError, match=r"data\.only_correct = True: the demo images have their own; remove the key"):
        load_images(DataSpec(path="demo:shapes", only_correct=True), model, base, load_model(model, base))
