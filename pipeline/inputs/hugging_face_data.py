"""Data sets that Hugging Face's `datasets` saved on a disk."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.inputs.class_order import ClassOrder, match_classes, matching_in_words, order_of_labels
from pipeline.inputs.collection import OBJECT, OTHER, Collection, Parts, Picture, Request, Sample
from pipeline.inputs.image_files import decode, read_content
from pipeline.inputs.stored_files import as_picture
from pipeline.machine.files import refuse_what_a_parser_raises
from srd.errors import DataError

IMAGE, LABEL, MASK = ("image", "img"), ("label", "labels", "fine_label"), ("mask", "segmentation_mask")
"""The names of columns, if there are several that could be meant."""


@dataclass(frozen=True)
class StoredImage:
    """One cell of a column of images."""

    place: str
    column: Any
    row: int
    channels: int

    def read(self) -> Picture:
        return as_picture(decode(self.content(), self.place), self.channels)

    def content(self) -> bytes:
        cell = self.column[self.row]
        if cell and cell.get("bytes"):
            return bytes(cell["bytes"])
        if not cell or not cell.get("path"):
            raise DataError(f"{self.place}: has no image; remove the row")
        return read_content(Path(cell["path"]))


@dataclass(frozen=True)
class StoredMask:
    """One cell of a column of masks, in which every pixel that is not black is the object."""

    image: StoredImage

    @property
    def place(self) -> str:
        return self.image.place

    def read(self) -> Parts:
        return np.where(self.image.read().pixels.any(2), np.uint8(OBJECT), np.uint8(OTHER))

    def content(self) -> bytes:
        return self.image.content()


def collect_hugging_face(request: Request) -> Collection:
    """Return the images of a data set on a disk; images are called by their rows.

    Raises
    ------
    DataError
        If `datasets` is not installed, or if the folder is no such data set, or has no column of images or labels.
    """
    place = f"data.path = {request.root}"
    table = _open(request, place)
    image, mask = _image_column(table, place), _find_column(table, "Image", MASK)
    order, outputs, notes = _outputs(request, table, place)
    plain = table.cast_column(image, _plain_feature())
    masks = None if mask is None else table.cast_column(mask, _plain_feature())[mask]
    samples = [
        Sample(
            f"{row:06d}",
            outputs[row],
            StoredImage(f"{request.root}: row {row} of {image}", plain[image], row, request.channels),
            None if masks is None else StoredMask(StoredImage(f"{request.root}: row {row} of {mask}", masks, row, 3)),
        )
        for row in range(len(outputs))
    ]
    return Collection(samples, order.titles, masks is not None, f"{len(samples):,} rows of {request.root.name}", notes)


def _open(request: Request, place: str) -> Any:
    """Return the table of the split."""
    try:
        from datasets import DatasetDict, load_from_disk
    except ImportError as error:
        raise DataError(
            f"{place}: {error.name} is not installed; install this project with the extra [huggingface]"
        ) from error
    with refuse_what_a_parser_raises(DataError, place, "name a folder that `save_to_disk` of `datasets` has written"):
        found = load_from_disk(str(request.root))
    if not isinstance(found, DatasetDict):
        if request.data.split is not None:
            raise DataError(f"data.split = {request.data.split!r}: {request.root} has no splits; remove the key")
        return found
    split = request.data.split or next(iter(found), "")
    if (request.data.split is None and len(found) != 1) or split not in found:
        raise DataError(
            f"data.split = {request.data.split!r}: {request.root} has the splits {', '.join(found)}; name one"
        )
    return found[split]


def _plain_feature() -> Any:
    from datasets import Image

    return Image(decode=False)


def _image_column(table: Any, place: str) -> str:
    images = [name for name, feature in table.features.items() if type(feature).__name__ == "Image"]
    found = images[0] if len(images) == 1 else _find_column(table, "Image", IMAGE)
    if found is None:
        raise DataError(
            f"{place}: has {len(images)} columns of images among {', '.join(table.features)}; call one 'image'"
        )
    return found


def _find_column(table: Any, kind: str, names: Sequence[str]) -> str | None:
    return next((name for name in names if type(table.features.get(name)).__name__ == kind), None)


def _outputs(request: Request, table: Any, place: str) -> tuple[ClassOrder, list[int], tuple[str, ...]]:
    """Return the classes, the label of each row in their order, and sentences on how they were matched."""
    classes = [name for name, feature in table.features.items() if type(feature).__name__ == "ClassLabel"]
    column = (
        classes[0]
        if len(classes) == 1
        else _find_column(table, "ClassLabel", LABEL) or _find_column(table, "Value", LABEL)
    )
    if column is None:
        raise DataError(f"{place}: has no column of labels among {', '.join(table.features)}; call one 'label'")
    values = list(table[column])
    missing = next((row for row, value in enumerate(values) if value is None or value == -1), None)
    if missing is not None:
        raise DataError(f"{place}: row {missing} has no {column}; remove the row")
    if column in classes:
        names = table.features[column].names
        order = request.order or ClassOrder([(name, name) for name in names], str(request.root))
        outputs = match_classes(names, order, place)
        return order, [outputs[value] for value in values], matching_in_words(names, order)
    texts = [str(value) for value in values]
    order = request.order or order_of_labels(texts, str(request.root))
    return order, [order.of_label(text, f"{place}: row {row}") for row, text in enumerate(texts)], ()
