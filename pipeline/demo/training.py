"""The training of the two demo networks, in minutes on a CPU; their weights and facts lie beside this module."""

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from pipeline.demo.certificates import accuracy
from pipeline.demo.networks import FOLDER, NETWORKS, normalise, weights_file
from pipeline.demo.shapes import TEST_SEED, TRAIN_SEED, scene

COMMAND = "python -m pipeline.demo.training"
SEED = 0
EPOCHS = 7
TRAINING_PICTURES = 4500
TEST_PICTURES = 1200
BATCH = 64
RATE = 4e-3  # at 6e-3 a VGG of this size stayed at chance
SHIFT = 4  # pixels, by which augmentation rolls a picture at most

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures (n, 3, 48, 48), float32 in [0, 1], and their labels (n)."""

    images: Tensor
    labels: Tensor

    @classmethod
    def draw(cls, seed: int, n: int) -> "Pictures":
        """Draw the first n pictures of the data set `seed`."""
        scenes = [scene(seed, index) for index in range(n)]
        images = torch.from_numpy(np.stack([each.image for each in scenes]))
        return cls(images, torch.tensor([each.label for each in scenes]))


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """The facts of one network in `models.json`; `accuracy` is that of the file's weights, on `test_pictures`."""

    file: str
    sha256: str
    seed: int
    epochs: int
    training_pictures: int
    training_seed: int
    accuracy: float
    test_pictures: int
    test_seed: int
    torch: str
    command: str


def train(name: str, pictures: Pictures, epochs: int, seed: int) -> nn.Module:
    """Train a network `name` on `pictures` with AdamW and one cycle of the learning rate.

    The network is returned in evaluation mode. All randomness comes from `seed`; the global random state is left as
    found.
    """
    network = _initialise(name, seed).train()
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(network.parameters(), RATE)
    steps = epochs * -(-len(pictures.labels) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps)
    for epoch in range(epochs):
        losses = []
        for images, labels in _batches(pictures, generator):
            optimizer.zero_grad()
            loss = cross_entropy(network(normalise(augment(images, generator))), labels)
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        log.info("%s, epoch %d of %d: loss %.4f", name, epoch + 1, epochs, sum(losses) / len(losses))
    return network.eval()


def _initialise(name: str, seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return NETWORKS[name]()


def _batches(pictures: Pictures, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    order = torch.randperm(len(pictures.labels), generator=generator)
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        yield pictures.images[rows], pictures.labels[rows]


def augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return each image with its channels permuted, mirrored half of the time, and rolled by up to `SHIFT` pixels."""
    n, channels, height, width = images.shape
    uniform = partial(torch.rand, generator=generator)
    shift = partial(torch.randint, -SHIFT, SHIFT + 1, (n, 1), generator=generator)
    order = uniform(n, channels).argsort(1)
    rows = (torch.arange(height) + shift()) % height
    columns = (torch.arange(width) + shift()) % width
    columns = torch.where(uniform(n, 1) < 0.5, columns, columns.flip(1))
    picture = torch.arange(n)[:, None, None, None]
    return images[picture, order[:, :, None, None], rows[:, None, :, None], columns[:, None, None, :]]


def round_state(network: nn.Module) -> dict[str, Tensor]:
    """Return the state of `network` as it is shipped: every floating-point tensor in float16."""
    state = network.state_dict()
    return {key: value.half() if value.is_floating_point() else value for key, value in state.items()}


def ship(name: str, network: nn.Module, test: Pictures, folder: Path) -> NetworkFacts:
    """Write the rounded weights of `network` into `folder`, and report what these weights are worth."""
    file = weights_file(name, folder)
    save_file(round_state(network), file)
    network.load_state_dict(round_state(network))
    return NetworkFacts(
        file=file.name,
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        seed=SEED,
        epochs=EPOCHS,
        training_pictures=TRAINING_PICTURES,
        training_seed=TRAIN_SEED,
        accuracy=accuracy(network, normalise(test.images), test.labels),
        test_pictures=len(test.labels),
        test_seed=TEST_SEED,
        torch=torch.__version__,
        command=COMMAND,
    )


def write(facts: Mapping[str, NetworkFacts], folder: Path) -> None:
    """Write `models.json`: the facts of each network, by its name."""
    text = json.dumps({name: asdict(each) for name, each in facts.items()}, indent=2)
    (folder / "models.json").write_text(text + "\n", encoding="utf-8")


def main() -> None:
    """Train and ship every network."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(2)
    log.info("drawing %d pictures", TRAINING_PICTURES + TEST_PICTURES)
    training, test = Pictures.draw(TRAIN_SEED, TRAINING_PICTURES), Pictures.draw(TEST_SEED, TEST_PICTURES)
    facts = {name: ship(name, train(name, training, EPOCHS, SEED), test, FOLDER) for name in NETWORKS}
    for name, each in facts.items():
        log.info("%s: %.2f %% of %d right", name, 100 * each.accuracy, each.test_pictures)
    write(facts, FOLDER)


if __name__ == "__main__":
    main()
