"""The certificates: both shipped networks hold them, and a network that cheats does not."""

import json
from dataclasses import asdict, replace

import pytest
import torch
from torch import Tensor, nn

from pipeline.demo.certificates import Certificates, Renderings, accuracy, certify, certify_on
from pipeline.demo.networks import MEAN, NETWORKS, STD, load
from pipeline.demo.shapes import CLASSES, TEST_SEED

N = 600
HELD = Certificates(600, 1 / 6, 0.212, accuracy=0.99, target_removed=0.2, background_only=0.2, distractors_away=0.99)


@pytest.fixture(scope="module")
def many() -> Renderings:
    return Renderings.draw(TEST_SEED, N)


@pytest.fixture(scope="module")
def few() -> Renderings:
    return Renderings.draw(TEST_SEED, 60)


class Cycling(nn.Module):
    """Answers by the order of the inputs, which is how a label leaks without any evidence in the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.classes = nn.Parameter(torch.eye(len(CLASSES)))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.classes[torch.arange(len(inputs)) % len(CLASSES)]


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_the_shipped_networks_hold_every_certificate(name: str, many: Renderings) -> None:
    certificates = certify_on(many, load(name), MEAN, STD)
    assert certificates.n == N
    assert certificates.checks() == dict.fromkeys(certificates.checks(), True), certificates


def test_an_answer_without_evidence_is_found_out(few: Renderings) -> None:
    certificates = certify_on(few, Cycling().eval(), MEAN, STD)
    assert certificates.accuracy == 1
    assert not certificates.checks()["target_removed"]
    assert not certificates.checks()["background_only"]


def test_chance_and_limit_are_those_of_a_guess(few: Renderings) -> None:
    certificates = certify_on(few, Cycling().eval(), MEAN, STD)
    assert certificates.chance == pytest.approx(1 / 6)
    assert certificates.limit == pytest.approx(1 / 6 + 3 * (1 / 6 * 5 / 6 / 60) ** 0.5)


def test_certify_takes_the_first_scenes_of_its_seed(few: Renderings) -> None:
    network = load("resnet")
    assert certify(network, MEAN, STD, TEST_SEED, 60) == certify_on(few, network, MEAN, STD)


@pytest.mark.parametrize(
    ("rate", "value"),
    [("accuracy", 0.979), ("target_removed", 0.213), ("background_only", 0.213), ("distractors_away", 0.978)],
)
def test_each_certificate_fails_alone(rate: str, value: float) -> None:
    assert all(HELD.checks().values())
    broken = Certificates(**{**asdict(HELD), rate: value})
    assert [name for name, holds in broken.checks().items() if not holds] == [rate]


def test_a_drop_of_just_one_point_holds() -> None:
    assert replace(HELD, accuracy=0.995, distractors_away=0.985).checks()["distractors_away"]


def test_certificates_are_plain_data() -> None:
    assert Certificates(**json.loads(json.dumps(asdict(HELD)))) == HELD


def test_a_network_in_training_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="training mode"):
        accuracy(Cycling(), torch.zeros(1, 3, 48, 48), torch.zeros(1, dtype=torch.int64))
