"""Training the demo networks: seeded, shape-preserving, and shipped as it is judged."""

from pathlib import Path

import pytest
import torch

from pipeline.demo.networks import small_resnet, small_vgg
from pipeline.demo.shapes import TRAIN_SEED
from pipeline.demo.training import SHIFT, Pictures, augment, round_state, ship, train


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    return Pictures.draw(TRAIN_SEED, 64)


def test_training_depends_on_its_seed_alone(pictures: Pictures) -> None:
    before = torch.get_rng_state()
    one, again, other = (train("resnet", pictures, epochs=1, seed=seed).state_dict() for seed in (3, 3, 4))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(value, again[key]) for key, value in one.items())
    assert not torch.equal(one["fc.weight"], other["fc.weight"])


def test_augmentation_keeps_each_pictures_values(pictures: Pictures) -> None:
    result = augment(pictures.images, torch.Generator().manual_seed(0))
    assert (result != pictures.images).flatten(1).any(1).all()
    assert torch.equal(result.flatten(1).sort(1).values, pictures.images.flatten(1).sort(1).values)


def test_augmentation_is_a_roll_a_mirror_and_an_order_of_channels() -> None:
    corner = torch.zeros(200, 3, 48, 48)
    corner[:, 0, 0, 0] = 1
    places = augment(corner, torch.Generator().manual_seed(0)).nonzero()
    assert len(places) == 200
    assert set(places[:, 1].tolist()) == {0, 1, 2}
    reached = torch.arange(-SHIFT, SHIFT + 1) % 48
    assert set(places[:, 2].tolist()) == set(reached.tolist())
    assert set(places[:, 3].tolist()) == set(reached.tolist()) | {(47 - each) % 48 for each in reached.tolist()}


def test_shipped_facts_are_of_the_rounded_weights(pictures: Pictures, tmp_path: Path) -> None:
    network = small_vgg().eval()
    facts = ship("vgg", network, pictures, tmp_path)
    assert (tmp_path / facts.file).stat().st_size < 10**6
    assert all(torch.equal(value, value.half().float()) for value in network.parameters())
    assert 0 <= facts.accuracy <= 1


def test_rounding_is_to_half_precision_and_spares_counts() -> None:
    state = round_state(small_resnet())
    assert {value.dtype for value in state.values()} == {torch.float16, torch.int64}
