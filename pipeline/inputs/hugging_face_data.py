"""Data sets that Hugging Face's `datasets` saved on a disk, read by the Arrow files that they are, and nothing else."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.inputs.class_order import ClassOrder, match_classes, matching_in_words, order_of_labels
from pipeline.inputs.collection import OBJECT, OTHER, Collection, Parts, Picture, Request, Sample
from pipeline.inputs.image_files import decode, read_content
from pipeline.inputs.stored_files import as_picture
from pipeline.machine.files import TEXT, UnreadableFile, read_file, refuse_what_a_parser_raises
from srd.errors import DataError

SPLITS, INFO, STATE = "dataset_dict.json", "dataset_info.json", "state.json"
"""The files that `save_to_disk` writes beside the tables."""
IMAGE, LABEL, MASK = ("image", "img"), ("label", "labels", "fine_label"), ("mask", "segmentation_mask")
"""The names of columns, where several could be meant."""
WAY_OUT = "name a folder that `save_to_disk` of `datasets` has written"


class Table(NamedTuple):
    """The rows of a split, and the kinds of its columns."""

    columns: Any
    """A table of pyarrow."""
    features: Mapping[str, Mapping[str, Any]]
    """Column -> its feature, as `datasets` describes it."""

    def kind(self, name: str) -> str:
        """Return the kind of a column, such as Image, ClassLabel or Value; empty if there is no such column."""
        feature = self.features.get(name)
        return str(feature.get("_type", "")) if isinstance(feature, Mapping) else ""


@dataclass(frozen=True)
class StoredImage:
    """One cell of a column of images, which holds a file or names one."""

    place: str
    column: Any
    row: int
    channels: int

    def read(self) -> Picture:
        return as_picture(decode(self.content(), self.place), self.channels)

    def content(self) -> bytes:
        cell = self.column[self.row].as_py()
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
        If pyarrow is not installed, or if the folder is no such data set, or has no column of images or labels.
    """
    place = f"data.path = {request.root}"
    table = _open(request, place)
    image, mask = _image_column(table, place), _find_column(table, "Image", MASK)
    order, outputs, notes = _outputs(request, table, place)
    samples = [
        Sample(
            f"{row:06d}",
            outputs[row],
            StoredImage(f"{request.root}: row {row} of {image}", table.columns[image], row, request.channels),
            None
            if mask is None
            else StoredMask(StoredImage(f"{request.root}: row {row} of {mask}", table.columns[mask], row, 3)),
        )
        for row in range(len(outputs))
    ]
    return Collection(samples, order.titles, mask is not None, f"{len(samples):,} rows of {request.root.name}", notes)


def _open(request: Request, place: str) -> Table:
    """Return the table of the split."""
    try:
        import pyarrow
    except ImportError as error:
        raise DataError(
            f"{place}: pyarrow is not installed; install this project with the extra [huggingface]"
        ) from error
    folder = _folder_of_split(request)
    with refuse_what_a_parser_raises(DataError, place, WAY_OUT):
        features = _read_json(folder / INFO)["features"]
        names = [entry["filename"] for entry in _read_json(folder / STATE)["_data_files"]]
        columns = pyarrow.concat_tables(list(_read_tables(folder, names)))
        if not set(features) == set(columns.column_names) or not columns.num_rows:
            raise ValueError(f"{columns.num_rows} rows of {columns.column_names} are described as {sorted(features)}")
        return Table(columns, features)


def _read_tables(folder: Path, names: Sequence[str]) -> Iterator[Any]:
    import pyarrow

    for name in names:
        if Path(name).name != name:
            raise ValueError(f"{name!r} is no file of the folder")
        with pyarrow.memory_map(str(folder / name)) as file:
            yield pyarrow.ipc.open_stream(file).read_all()


def _folder_of_split(request: Request) -> Path:
    split, place = request.data.split, f"data.split = {request.data.split!r}"
    if not (request.root / SPLITS).exists():
        if split is not None:
            raise DataError(f"{place}: {request.root} has no splits; remove the key")
        return request.root
    with refuse_what_a_parser_raises(DataError, f"data.path = {request.root}", WAY_OUT):
        names = [str(name) for name in _read_json(request.root / SPLITS)["splits"]]
    chosen = names[0] if split is None and len(names) == 1 else split
    if chosen not in names:
        raise DataError(f"{place}: {request.root} has the splits {', '.join(names)}; name one of these")
    return request.root / str(chosen)


def _read_json(file: Path) -> Any:
    try:
        return json.loads(read_file(file, TEXT))
    except UnreadableFile as error:
        raise ValueError(f"{file.name}: {error}") from None


def _image_column(table: Table, place: str) -> str:
    images = [name for name in table.features if table.kind(name) == "Image"]
    found = images[0] if len(images) == 1 else _find_column(table, "Image", IMAGE)
    if found is None:
        names = ", ".join(table.features)
        raise DataError(f"{place}: has {len(images)} columns of images among {names}; call one 'image'")
    return found


def _find_column(table: Table, kind: str, names: Sequence[str]) -> str | None:
    return next((name for name in names if table.kind(name) == kind), None)


def _outputs(request: Request, table: Table, place: str) -> tuple[ClassOrder, list[int], tuple[str, ...]]:
    """Return the classes, the label of each row in their order, and sentences on how they were matched."""
    classes = [name for name in table.features if table.kind(name) == "ClassLabel"]
    column = classes[0] if len(classes) == 1 else _find_column(table, "ClassLabel", LABEL)
    column = column or _find_column(table, "Value", LABEL)
    if column is None:
        raise DataError(f"{place}: has no column of labels among {', '.join(table.features)}; call one 'label'")
    values = table.columns[column].to_pylist()
    missing = next((row for row, value in enumerate(values) if value is None or value == -1), None)
    if missing is not None:
        raise DataError(f"{place}: row {missing} has no {column}; remove the row")
    if column not in classes:
        texts = [str(value) for value in values]
        order = request.order or order_of_labels(texts, str(request.root))
        return order, [order.of_label(text, f"{place}: row {row}") for row, text in enumerate(texts)], ()
    names = list(map(str, table.features[column].get("names") or ()))
    if not 0 <= min(values) <= max(values) < len(names):
        raise DataError(f"{place}: {column} holds {max(values)}, but has {len(names)} names; save the data set anew")
    order = request.order or ClassOrder([(name, name) for name in names], str(request.root))
    outputs = match_classes(names, order, place)
    return order, [outputs[value] for value in values], matching_in_words(names, order)
