"""Data sets that torchvision keeps on a disk: each image with its label, and nothing from a network."""

import pickle
import socket
import struct
from hashlib import md5
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numbered_images import HEIGHT, WIDTH, load, numbered, numbers_of, write_numbered
from PIL import Image
from torchvision import datasets

from srd.errors import DataError

LABELS = [3, 0, 9, 1, 3, 7]


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        pytest.fail("opens a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def write_digits(root: Path, name: str, images: Any) -> None:
    """Write a test set as those of MNIST are published."""
    folder = root / name / "raw"
    folder.mkdir(parents=True)
    for split in ("train", "t10k"):
        header = struct.pack(">IIII", 0x803, *images.shape)
        (folder / f"{split}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        labels = struct.pack(">II", 0x801, len(LABELS)) + bytes(LABELS)
        (folder / f"{split}-labels-idx1-ubyte").write_bytes(labels)


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST", "KMNIST"])
def test_grey_digits_are_read_with_one_channel_or_three(tmp_path: Path, name: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 28, 28), np.uint8)
    write_digits(tmp_path / "sets", name, images)
    for channels in (1, 3):
        data = load(tmp_path, {"channels": channels}, path="sets", format=f"torchvision:{name}")
        expected = torch.from_numpy(images.astype(np.float32) / 255)[:, None].expand(6, channels, 28, 28)
        assert torch.equal(data.images(range(6)), expected)
        assert data.labels == tuple(LABELS)
        assert len(data.classes) == 10
    assert data.ids[0] == "test-000000"
    assert data.description == f"6 images of {name}, test"
    assert not data.has_masks


def write_cifar(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a test set as CIFAR-10 is published, with the digests of what is written in place of the published ones."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    pixels = np.stack([numbered(number, 32, 32).transpose(2, 0, 1).reshape(-1) for number in range(6)])
    files = {
        "test_batch": {"data": pixels, "labels": LABELS},
        "batches.meta": {"label_names": [f"name {index}" for index in range(10)]},
    }
    digests = {}
    for name, content in files.items():
        (folder / name).write_bytes(pickle.dumps(content))
        digests[name] = md5((folder / name).read_bytes()).hexdigest()
    monkeypatch.setattr(datasets.CIFAR10, "train_list", [])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", [["test_batch", digests["test_batch"]]])
    monkeypatch.setattr(datasets.CIFAR10, "meta", {**datasets.CIFAR10.meta, "md5": digests["batches.meta"]})


def test_the_batches_of_cifar_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar(tmp_path / "sets", monkeypatch)
    data = load(tmp_path, path="sets", format="torchvision:CIFAR10", split="test")
    expected = np.stack([numbered(number, 32, 32) for number in range(6)]).astype(np.float32) / 255
    assert torch.equal(data.images(range(6)), torch.from_numpy(expected).permute(0, 3, 1, 2))
    assert [data.classes[label] for label in data.labels] == [f"name {label}" for label in LABELS]


def test_classes_of_the_spec_give_the_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar(tmp_path / "sets", monkeypatch)
    (tmp_path / "classes.json").write_text(
        str([f"name {index}" for index in reversed(range(10))]).replace("'", '"'), encoding="utf-8"
    )
    keys = {"path": "sets", "format": "torchvision:CIFAR10"}
    data = load(tmp_path, {"classes": "classes.json"}, **keys)
    assert data.labels == tuple(9 - label for label in LABELS)
    assert not data.notes
    (tmp_path / "classes.json").write_text(
        str([f"other {index}" for index in range(10)]).replace("'", '"'), encoding="utf-8"
    )
    data = load(tmp_path, {"classes": "classes.json"}, **keys)
    assert data.labels == tuple(LABELS)
    assert data.notes[0].startswith("the data set's names of classes are not those of model.classes: both are taken to")
    (tmp_path / "classes.json").write_text('["a", "b"]', encoding="utf-8")
    with pytest.raises(DataError, match=r"its class 'name 0' is none of model\.classes, which are 2, not 10"):
        load(tmp_path, {"classes": "classes.json"}, **keys)


def test_files_that_were_tampered_with_are_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar(tmp_path / "sets", monkeypatch)
    batch = tmp_path / "sets/cifar-10-batches-py/test_batch"
    batch.write_bytes(batch.read_bytes() + b"x")
    with pytest.raises(
        DataError, match=r"torchvision's CIFAR10: RuntimeError: .*; bring its files there, .*: nothing is"
    ):
        load(tmp_path, path="sets", format="torchvision:CIFAR10")


def write_pets(root: Path) -> None:
    """Write a few pets as they are published, with trimaps."""
    folder = root / "oxford-iiit-pet"
    lines = []
    for number, label in enumerate((2, 1, 2)):
        write_numbered(folder / "images" / f"{'Cat' if label == 1 else 'Dog'}_{number}.jpg", number)
        trimap = np.random.default_rng(number).integers(1, 4, (HEIGHT, WIDTH), np.uint8)
        (folder / "annotations/trimaps").mkdir(parents=True, exist_ok=True)
        Image.fromarray(trimap).save(folder / f"annotations/trimaps/{'Cat' if label == 1 else 'Dog'}_{number}.png")
        lines.append(f"{'Cat' if label == 1 else 'Dog'}_{number} {label} {label} 1")
    (folder / "annotations/test.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_the_border_of_a_pet_is_neither_pet_nor_background(tmp_path: Path) -> None:
    write_pets(tmp_path)
    data = load(tmp_path, path=".", format="torchvision:OxfordIIITPet")
    assert data.has_masks
    assert numbers_of(data.images(range(3))) == [0, 1, 2]
    assert data.labels == (1, 0, 1)
    for row in range(3):
        trimap = np.random.default_rng(row).integers(1, 4, (HEIGHT, WIDTH), np.uint8)
        assert (data.masks([row])[0].numpy() == (trimap == 1)).all()
        assert (data.ignored_pixels([row])[0].numpy() == (trimap == 3)).all()


def test_folders_of_torchvision_are_read(tmp_path: Path) -> None:
    for number, name in enumerate(("Forest", "River", "River")):
        write_numbered(tmp_path / f"eurosat/2750/{name}/{name}_{number}.jpg", number)
    data = load(tmp_path, path=".", format="torchvision:EuroSAT")
    assert numbers_of(data.images(range(3))) == [0, 1, 2]
    assert [data.classes[label] for label in data.labels] == ["Forest", "River", "River"]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"format": "torchvision:MINST"}, r"data\.format = 'torchvision:MINST': no data set .*; did you mean 'MNIST'"),
        ({"format": "torchvision:CocoDetection"}, "no data set with one label for each image"),
        (
            {"format": "torchvision:MNIST", "split": "val"},
            "data.split = 'val': MNIST has the splits 'train' and 'test'",
        ),
        ({"format": "torchvision:SVHN", "split": "val"}, "torchvision's SVHN: ValueError: .*val.*; bring its files"),
        ({"format": "torchvision:MNIST", "split": "test"}, "torchvision's MNIST: RuntimeError: Dataset not found"),
        ({"format": "torchvision:EuroSAT"}, "torchvision's EuroSAT: .*; bring its files there"),
    ],
)
def test_what_torchvision_does_not_find_is_refused(tmp_path: Path, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load(tmp_path, path=".", **keys)


def test_every_named_set_is_torchvisions_and_takes_no_download() -> None:
    from inspect import signature

    from pipeline.inputs.torchvision_data import NAMES

    for name in NAMES:
        download = signature(getattr(datasets, name)).parameters.get("download")
        assert download is None or download.default is False
