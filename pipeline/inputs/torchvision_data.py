"""Data sets that torchvision reads from a disk; nothing is ever downloaded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from inspect import signature
from types import MappingProxyType
from typing import Any

import numpy as np

from pipeline.inputs.class_order import ClassOrder, match_classes, matching_in_words
from pipeline.inputs.collection import IGNORED, OBJECT, OTHER, Collection, Parts, Picture, Request, Sample
from pipeline.inputs.image_files import turn_upright
from pipeline.inputs.stored_files import as_picture
from pipeline.machine.files import refuse_what_a_parser_raises
from pipeline.spec.data import TORCHVISION
from pipeline.spec.values import closest
from srd.errors import DataError

NAMES = (
    "Caltech101 Caltech256 CIFAR10 CIFAR100 Country211 DTD EuroSAT FashionMNIST FGVCAircraft Flowers102 Food101 GTSRB "
    "Imagenette KMNIST MNIST OxfordIIITPet RenderedSST2 STL10 SUN397 SVHN USPS"
).split()
"""The data sets that have one label for each image."""
MASKED = "OxfordIIITPet"
TRIMAP: Mapping[int, int] = MappingProxyType({1: OBJECT, 2: OTHER, 3: IGNORED})
"""The parts of its masks: pet, background, and a border that is neither."""
LABELS = ("targets", "labels", "_labels", "y")
"""The attributes in which data sets keep labels."""


@dataclass(frozen=True)
class DatasetImage:
    """One image of a data set."""

    place: str
    dataset: Any
    row: int
    channels: int

    def read(self) -> Picture:
        with refuse_what_a_parser_raises(DataError, self.place, "bring the data set anew"):
            image = self.dataset[self.row][0]
        return as_picture(turn_upright(image, self.place), self.channels)

    def content(self) -> bytes:
        pixels = self.read().pixels
        return repr(pixels.shape).encode() + pixels.tobytes()


@dataclass(frozen=True)
class Trimap:
    """One mask of the pets."""

    place: str
    dataset: Any
    row: int

    def read(self) -> Parts:
        with refuse_what_a_parser_raises(DataError, self.place, "bring the data set anew"):
            numbers = np.asarray(self.dataset[self.row][1])
        unknown = sorted(set(np.unique(numbers).tolist()) - TRIMAP.keys())
        if unknown or numbers.ndim != 2:
            raise DataError(f"{self.place}: the trimap holds {unknown or numbers.shape}, not 1, 2 and 3; bring it anew")
        parts = np.full(numbers.shape, OTHER, np.uint8)
        for number, part in TRIMAP.items():
            parts[numbers == number] = part
        return parts

    def content(self) -> bytes:
        return self.read().tobytes()


def collect_torchvision(request: Request) -> Collection:
    """Return the images of a split of a torchvision data set; images are called by their positions.

    Raises
    ------
    DataError
        If torchvision does not know or find it.
    """
    name = str(request.data.format).removeprefix(TORCHVISION)
    place = f"data.format = {request.data.format!r}"
    if name not in NAMES:
        raise DataError(f"{place}: no data set with one label for each image; {closest(name, NAMES)}")
    split = request.data.split or "test"
    dataset = _open(request, name, split)
    labels = _labels(dataset)
    order = request.order
    titles = [str(title) for title in getattr(dataset, "classes", None) or map(str, range(1 + max(labels, default=0)))]
    order = order or ClassOrder([(title, title) for title in dict.fromkeys(titles)], name)
    outputs = match_classes(titles, order, place)
    masks = _open(request, name, split, target_types="segmentation") if name == MASKED else None
    samples = [
        Sample(
            f"{split}-{row:06d}",
            outputs[label],
            DatasetImage(f"{name}, {split} {row}", dataset, row, request.channels),
            None if masks is None else Trimap(f"{name}, {split} {row}", masks, row),
        )
        for row, label in enumerate(labels)
    ]
    notes = matching_in_words(titles, order)
    return Collection(samples, order.titles, masks is not None, f"{name}, {split}", notes)


def _open(request: Request, name: str, split: str, **options: str) -> Any:
    """Return the data set, from the folder `data.path`."""
    from torchvision import datasets

    build = getattr(datasets, name)
    known = signature(build).parameters
    if "split" in known:
        options["split"] = split
    elif "train" in known:
        if split not in {"train", "test"}:
            raise DataError(f"data.split = {split!r}: {name} has the splits 'train' and 'test'; set one of these")
        build = partial(build, train=split == "train")
    place = f"data.path = {request.root}: torchvision's {name}"
    with refuse_what_a_parser_raises(
        DataError, place, "bring its files there, as torchvision keeps them: nothing is downloaded"
    ):
        dataset = build(str(request.root), **options)
        if not len(dataset):
            raise ValueError("holds no image")
        return dataset


def _labels(dataset: Any) -> Sequence[int]:
    """Return the label of each image; the images are read only if the data set keeps its labels nowhere."""
    for attribute in LABELS:
        kept = getattr(dataset, attribute, None)
        if kept is not None and len(kept) == len(dataset):
            return [int(label) for label in kept]
    return [int(dataset[row][1]) for row in range(len(dataset))]
