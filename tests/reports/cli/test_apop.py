"""`srd-audit apop`: its rates against hooks that mask by hand, its draws, its file, its refusals."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
import torch
from command_line import Command
from small_audits import edit, write_audit
from torch import Tensor, nn

from pipeline.experiments.apop import REPLACEMENTS, ApopExperiment, load_apop_experiment
from pipeline.experiments.apop_results import ApopPredictions
from pipeline.machine import seeds
from pipeline.spec.audit import load_spec

RESULT = Path("audit") / "runs" / "small" / "apop.json"


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """An audit of a network that normalises what it reads."""
    normalised = 'classes = "classes.json"\nmean = [0.1, 0.2, 0.3]\nstd = [0.5]'
    return edit(write_audit(tmp_path / "audit"), 'classes = "classes.json"', normalised)


def normalise(image: Tensor) -> Tensor:
    return (image - torch.tensor([0.1, 0.2, 0.3])[:, None, None]) / 0.5


def experiment_of(spec: Path) -> ApopExperiment:
    return load_apop_experiment(load_spec(spec), spec.parent)


def joined(batches: list[ApopPredictions], name: str) -> list[int]:
    return [int(label) for batch in batches for label in batch.replaced[name]]


def masked_by_hand(network: nn.Module, image: Tensor, replacement: Tensor) -> int:
    """The class predicted where hooks on the modules multiply by the masks of `image`."""
    masks: list[Tensor] = []
    relus = [module for module in network.modules() if isinstance(module, nn.ReLU)]

    def passed(hook: Callable[..., Any], inputs: Tensor) -> Tensor:
        handles = [relu.register_forward_hook(hook) for relu in relus]
        with torch.no_grad():
            logits: Tensor = network(inputs[None])
        for handle in handles:
            handle.remove()
        return logits

    passed(lambda module, read, made: masks.append(read[0] > 0), image)
    return int(passed(lambda module, read, made: read[0] * masks.pop(0), replacement).argmax())


def replacement_by_hand(subject: ApopExperiment, row: int, name: str) -> Tensor:
    """What the network must read in place of the image at `row`."""
    seed, identity, labels = subject.spec.run.seed, subject.data.ids[row], np.array(subject.data.labels)
    stream = seeds.generator(seed, "apop", identity, name)
    others = np.flatnonzero(labels != labels[row])
    shape = subject.data.images([row])[0].shape
    by_name: dict[str, Callable[[], Tensor]] = {
        "black": lambda: normalise(torch.zeros(shape)),
        "grey": lambda: normalise(torch.full(shape, 0.5)),
        "white": lambda: normalise(torch.ones(shape)),
        "uniform_noise": lambda: normalise(torch.rand(shape, generator=stream)),
        "gaussian_noise": lambda: torch.randn(shape, generator=stream),
        "other_image": lambda: normalise(
            subject.data.images([others[seeds.index(seed, len(others), "apop", identity, name)]])[0]
        ),
    }
    return by_name[name]()


def by_hand(subject: ApopExperiment, name: str) -> list[int]:
    """What must be predicted from the patterns on one replacement, image by image."""
    network, images = subject.loaded.model.network, subject.data.images(range(len(subject.data.ids)))
    return [
        masked_by_hand(network, normalise(image), replacement_by_hand(subject, row, name))
        for row, image in enumerate(images)
    ]


@pytest.mark.parametrize("name", REPLACEMENTS)
def test_predictions_are_those_of_masks_put_on_by_hand(spec: Path, name: str) -> None:
    subject = experiment_of(spec)
    assert joined(list(subject.predictions()), name) == by_hand(subject, name)


def test_the_file_holds_the_rates_and_the_table_shows_them(command: Command, spec: Path) -> None:
    ended = command("apop", spec)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[-1] == str(RESULT.absolute())
    result = json.loads(RESULT.read_text(encoding="utf-8"))
    subject = experiment_of(spec)
    labels = np.array(subject.data.labels)
    with torch.no_grad():
        clean = subject.loaded.model(subject.data.images(range(6))).argmax(1).numpy()
    assert result["chance"] == result["most_frequent"] == pytest.approx(1 / 3)
    assert result["clean"]["value"] == (clean == labels).mean()
    assert [row["replacement"] for row in result["replaced"]] == list(REPLACEMENTS)
    for row in result["replaced"]:
        predicted = np.array(by_hand(subject, row["replacement"]))
        assert row["accuracy"]["value"] == (predicted == labels).mean()
        assert row["agreement"]["value"] == (predicted == clean).mean()
        assert row["accuracy"]["n"] == row["agreement"]["n"] == 6
        assert row["title"] in ended.out
        assert f"{100 * row['accuracy']['value']:.1f}" in ended.out
    assert "n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}6, 95 % Wilson intervals. Chance 33.3" in ended.out


def test_intervals_are_wilsons(command: Command, spec: Path) -> None:
    command("apop", spec)
    z = NormalDist().inv_cdf(0.975)
    for row in json.loads(RESULT.read_text(encoding="utf-8"))["replaced"]:
        share, n = row["accuracy"]["value"], row["accuracy"]["n"]
        centre, half = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
        bounds = [(centre - half) / (1 + z * z / n), (centre + half) / (1 + z * z / n)]
        assert [row["accuracy"]["low"], row["accuracy"]["high"]] == pytest.approx(bounds)


def test_the_same_spec_gives_the_same_bytes_and_nothing_but_the_file(command: Command, spec: Path) -> None:
    first = command("apop", spec)
    before = RESULT.read_bytes()
    assert [path.name for path in RESULT.parent.iterdir()] == ["apop.json"]
    assert command("apop", spec) == first
    assert RESULT.read_bytes() == before
    assert command("apop", spec, "--out", "elsewhere").code == 0
    assert Path("elsewhere/apop.json").read_bytes() == before


def test_a_run_may_follow_in_the_same_folder(command: Command, spec: Path) -> None:
    command("apop", spec)
    before = RESULT.read_bytes()
    assert "no run here" in command("status", spec).err
    assert command("run", spec, "--stage", "perturb").code == 0
    assert RESULT.read_bytes() == before


def read(spec: Path, name: str) -> list[Tensor]:
    """What the network reads in place of each image."""
    subject, replacement = experiment_of(spec), REPLACEMENTS[name]
    batches = [
        replacement(subject.loaded.model, subject.tile(rows), subject.generators(rows, name)) for rows in subject.tiles
    ]
    return [row for batch in batches for row in batch]


@pytest.mark.parametrize("name", REPLACEMENTS)
def test_every_replacement_is_what_it_is_called_whatever_the_tiles(spec: Path, name: str) -> None:
    subject = experiment_of(spec)
    expected = [replacement_by_hand(subject, row, name) for row in range(6)]
    assert all(torch.equal(a, b) for a, b in zip(read(spec, name), expected, strict=True))
    edit(spec, "tile = 4", "tile = 1")
    assert all(torch.equal(a, b) for a, b in zip(read(spec, name), expected, strict=True))


@pytest.mark.parametrize("name", ["uniform_noise", "gaussian_noise"])
def test_every_image_and_every_seed_has_its_own_noise(spec: Path, name: str) -> None:
    rows = read(spec, name) + read(edit(spec, "seed = 1", "seed = 2"), name)
    assert len({row.numpy().tobytes() for row in rows}) == len(rows)


Damage = Callable[[Path], Any]
REFUSALS: dict[str, tuple[Damage, str]] = {
    "spec": (lambda home: edit(home / "small.toml", 'path = "images"', 'path = "pictures"'), "no such folder"),
    "key": (lambda home: edit(home / "small.toml", "tile = 4", "tiles = 4"), "unknown key"),
    "one class": (lambda home: edit(home / "small.toml", "[explain]", "n = 1\n[explain]"), "every image has the same"),
    "smooth": (lambda home: edit(home / "network.py", "self.relu2 = nn.ReLU()", "self.relu2 = nn.SiLU()"), "silu"),
    "probabilities": (
        lambda home: edit(home / "network.py", "return logits", "return logits.softmax(1)"),
        "probabilities",
    ),
}


@pytest.mark.parametrize(("damage", "message"), REFUSALS.values(), ids=REFUSALS)
def test_what_cannot_be_predicted_is_refused(command: Command, spec: Path, damage: Damage, message: str) -> None:
    damage(spec.parent)
    ended = command("apop", spec)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err
    assert not RESULT.parent.exists()


def test_a_file_is_no_folder(command: Command, spec: Path) -> None:
    ended = command("apop", spec, "--out", spec)
    assert (ended.code, ended.out) == (2, "")
    assert "is a file" in ended.err


def test_the_result_is_not_written_through_a_link(command: Command, spec: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("mine", encoding="utf-8")
    RESULT.parent.mkdir(parents=True)
    RESULT.symlink_to(tmp_path / "outside")
    code, out, err = command("apop", spec)
    assert (code, out) == (2, "")
    assert "apop.json: is a link" in err
    assert (tmp_path / "outside").read_text(encoding="utf-8") == "mine"
