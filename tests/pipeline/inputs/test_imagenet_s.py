"""ImageNet-S: masks by numbers in two colours, labels by ImageNet, and nothing that the folders hide taken on trust."""

import csv
import json
import lzma
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numbered_images import HEIGHT, WIDTH, load, numbers_of, write_numbered
from numpy.typing import NDArray
from PIL import Image

from pipeline.inputs.data import Data, open_data
from pipeline.spec.data import DataSpec
from pipeline.spec.model import ModelSpec
from srd.errors import DataError

REAL = Path(os.environ.get("SRD_AUDIT_REAL", "/nowhere")) / "imagenet_s_mini"
real = pytest.mark.skipif(not REAL.is_dir(), reason="set SRD_AUDIT_REAL to the folder that holds imagenet_s_mini/")
CLASSES = [f"n{number:08d}" for number in range(1, 920)]
SIZE = 919
"""The subset of which numbers do not fit into one byte."""
PLACES = {
    ("n00000300", "a"): "n00000300",
    ("n00000300", "b"): "n90000001",
    ("n00000007", "c"): "n00000007",
    ("n00000919", "d"): "n00000919",
    ("n00000919", "e"): "n90000002",
    ("n00000919", "f"): "n00000919",
}
"""(folder, name) -> the folder of the label in ImageNet."""


def numbers(number: int, of: int) -> NDArray[np.int64]:
    """Return the numbers of a mask: the object's, those of others, ignored ones."""
    draw = np.random.default_rng(500 + number)
    return draw.choice([0, of, 1000, of + 1, of % 256], (HEIGHT, WIDTH))


def write_mask(file: Path, values: NDArray[np.int64]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    colours = np.stack([values % 256, values // 256, 0 * values], -1).astype(np.uint8)
    Image.fromarray(colours).save(file)


def image_name(name: str) -> str:
    return f"ILSVRC2012_val_0000000{name}"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    root, lists = tmp_path / "ImageNetS919", tmp_path / "lists/data"
    lists.mkdir(parents=True)
    mapping = []
    for number, ((folder, name), source) in enumerate(PLACES.items()):
        write_numbered(root / f"validation/{folder}/{image_name(name)}.JPEG", number)
        write_mask(root / f"validation-segmentation/{folder}/{image_name(name)}.png", numbers(number, int(folder[1:])))
        mapping.append(f"{source}/{image_name(name)}.JPEG {folder}/{image_name(name)}.JPEG")
    (lists / "ImageNetS_categories_im919.txt").write_text("\n".join(CLASSES), encoding="utf-8")
    (lists / "ImageNetS_im919_mapping_validation.txt").write_text("\n".join(mapping), encoding="utf-8")
    (tmp_path / "classes.txt").write_text("\n".join([*CLASSES, "n90000001", "n90000002"]), encoding="utf-8")
    return tmp_path


OF_1000 = {"classes": "classes.txt"}


def read(base: Path, model: dict[str, Any] | None = None, **keys: Any) -> Data:
    given = {"path": "ImageNetS919", "format": "imagenet-s", "labels": "lists"} | keys
    return load(base, model, **given)


def test_labels_are_those_of_imagenet_not_of_the_folders(base: Path) -> None:
    data = read(base, OF_1000)
    assert [data.classes[label] for label in data.labels] == [
        PLACES[Path(name).parts[0], Path(name).stem[-1]] for name in data.ids
    ]
    assert numbers_of(data.images(range(6))) == [2, 0, 1, 3, 4, 5]
    assert data.notes[0] == (
        "2 of 6 images have another label in ImageNet than their folder: they are labelled by ImageNet, and their "
        "masks, which are of the folder's class, are not read"
    )
    assert data.description == "6 images of 3 folders of validation"


def test_a_mask_is_of_the_objects_number_and_ignores_what_it_does_not_know(base: Path) -> None:
    data = read(base, OF_1000)
    for row, (number, (folder, name)) in zip((1, 2, 0, 3, 4, 5), enumerate(PLACES), strict=True):
        inside, ignored = data.masks([row])[0].numpy(), data.ignored_pixels([row])[0].numpy()
        values = numbers(number, int(folder[1:]))
        if PLACES[folder, name] == folder:
            assert (inside == (values == int(folder[1:]))).all()
            assert (ignored == (values == 1000)).all()
        else:
            assert not inside.any()
            assert ignored.all()


def test_a_network_of_the_subsets_classes_goes_by_the_folders(base: Path) -> None:
    data = read(base)
    assert len(data.classes) == SIZE
    assert [data.classes[label] for label in data.labels] == [Path(name).parts[0] for name in data.ids]
    assert all(data.masks([row]).any() for row in range(6))
    assert not data.notes


def test_images_that_no_list_names_are_told(base: Path) -> None:
    write_numbered(base / "ImageNetS919/validation/n00000007/other.JPEG", 6)
    write_mask(base / "ImageNetS919/validation-segmentation/n00000007/other.png", numbers(6, 7))
    data = read(base, OF_1000)
    assert data.labels[data.ids.index("n00000007/other.JPEG")] == 6
    assert "1 of 7 images are not in the mapping list: they are labelled by their folder" in data.notes


def test_a_split_without_masks_has_none(base: Path) -> None:
    write_numbered(base / "ImageNetS919/train/n00000007/n00000007_1.JPEG", 6)
    data = read(base, OF_1000, split="train")
    assert not data.has_masks
    assert data.labels == (6,)


def test_labels_hidden_by_folders_are_never_taken_on_trust(base: Path) -> None:
    way_out = (
        r"set data\.labels to the folder with the published lists .*, among them ImageNetS_im919_mapping_validation"
    )
    with pytest.raises(DataError, match=rf"the folders of validation are not the labels of all images; {way_out}"):
        read(base, OF_1000, labels=None)
    (base / "lists/data/ImageNetS_im919_mapping_validation.txt").unlink()
    with pytest.raises(DataError, match=way_out):
        read(base, OF_1000)


def test_numbers_of_masks_need_all_categories(base: Path) -> None:
    (base / "lists/data/ImageNetS_categories_im919.txt").unlink()
    with pytest.raises(DataError, match=r"holds 3 of the 919 folders, by which masks are numbered; set data\.labels"):
        read(base, OF_1000)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda base: (base / "ImageNetS919").rename(base / "data"), "does not end in the number of its classes; call"),
        (lambda base: shutil.rmtree(base / "lists"), r"holds no list ImageNetS_\*\.txt; set data\.labels"),
        (
            lambda base: (base / "lists/data/ImageNetS_im919_mapping_validation.txt").write_text(
                "n1/a.JPEG n2/b.JPEG", encoding="utf-8"
            ),
            "n1/a.JPEG n2/b.JPEG are not two places of one image; take the list as it was published",
        ),
        (
            lambda base: (base / "lists/data/ImageNetS_categories_im919.txt").write_text(
                "n00000300\nn00000007\n", encoding="utf-8"
            ),
            "folder 'n00000919' is none of the 2 classes of ImageNet-S; set data.labels",
        ),
        (
            lambda base: (
                base / "ImageNetS919/validation-segmentation/n00000007" / (image_name("c") + ".png")
            ).unlink(),
            r"c\.png: .*No such file",
        ),
        (
            lambda base: (base / "classes.txt").write_text("n00000300", encoding="utf-8"),
            "folder 'n00000007' is no class of",
        ),
    ],
)
def test_what_is_no_imagenet_s_is_refused(base: Path, change: Any, message: str) -> None:
    change(base)
    path = "data" if (base / "data").exists() else "ImageNetS919"
    with pytest.raises(DataError, match=message):
        read(base, OF_1000, path=path)


@real
def test_published_lists_give_each_validation_image_its_imagenet_label(tmp_path: Path) -> None:
    """All 752 places of ImageNet-S50, against the label of every ILSVRC2012 validation image: 136 folders differ."""
    with lzma.open(REAL / "lists/val_labels.csv.xz", "rt", encoding="utf-8") as file:
        truth = {line["ImageId"]: line["PredictionString"].split()[0] for line in csv.DictReader(file)}
    lines = (REAL / "lists/ImageNetS_im50_validation.txt").read_text(encoding="utf-8").split()
    write_numbered(tmp_path / "one.JPEG", 0)
    root = tmp_path / "ImageNetS50"
    for name in lines[::2]:
        (root / "validation" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "validation" / name).symlink_to(tmp_path / "one.JPEG")
    (root / "validation-segmentation").mkdir()
    data = load_unread(tmp_path, REAL / "lists", REAL.parent / "imagenet/classes.json")
    assert len(data.ids) == 752
    wnids = [name for name, _ in json.loads((REAL.parent / "imagenet/classes.json").read_text(encoding="utf-8"))]
    assert [wnids[label] for label in data.labels] == [truth[Path(name).stem] for name in data.ids]
    assert data.notes[0].startswith("136 of 752 images have another label in ImageNet than their folder")


def load_unread(base: Path, lists: Path, classes: Path) -> Data:
    data = DataSpec(path="ImageNetS50", format="imagenet-s", labels=str(lists))
    return open_data(data, ModelSpec(spec="network.py:build", classes=str(classes)), base)


@real
def test_the_miniature_has_the_masks_of_the_same_objects() -> None:
    """Its masks mark what those of the same images in `coco_imagenet` mark, but for what is ignored."""
    model = {"classes": str(REAL.parent / "imagenet/classes.json"), "resize": (256, 224)}
    data = load(REAL, model, path="ImageNetS50", format="imagenet-s", labels="lists")
    other = load(REAL.parent / "coco_imagenet", model, path="images", masks="masks")
    assert len(data.ids) == 11
    for row, name in enumerate(data.ids):
        twin = other.ids.index(name)
        assert data.labels[row] == other.labels[twin]
        assert torch.equal(data.images([row]), other.images([twin]))
        inside, ignored = data.masks([row])[0], data.ignored_pixels([row])[0]
        assert 0.01 < inside.float().mean() < 0.95
        assert ((inside | ignored) == (other.masks([twin])[0] | ignored)).float().mean() > 0.99
    assert Counter(bool(data.ignored_pixels([row]).any()) for row in range(11))[True] > 5
