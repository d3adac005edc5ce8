"""Images that a CSV file lists with their labels: `file,label[,mask]`."""

import csv
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from pipeline.inputs.class_order import order_of_labels
from pipeline.inputs.collection import Collection, MaskSource, Request, Sample
from pipeline.inputs.image_listing import RELATIVE, count_unlisted_images
from pipeline.inputs.masks import open_masks
from pipeline.inputs.stored_files import ImageFile, MaskFile, image_id, refuse_missing
from pipeline.machine.files import TEXT, UnreadableFile, read_file, refuse_what_a_parser_raises
from pipeline.spec.values import closest, shorten_value
from srd.errors import DataError

COLUMNS = ("file", "label")
MASK = "mask"


class Line(NamedTuple):
    """A line of the file, which is about one image."""

    place: str
    file: str
    label: str
    mask: str | None
    """The mask's path; empty if the image has none, None if the file has no such column."""


def collect_csv(request: Request) -> Collection:
    """Return the images that a CSV file lists; the paths in it start at its own folder."""
    return _collect(request, request.root, request.root.parent, "data.path")


def collect_labelled_folder(request: Request) -> Collection:
    """Return the images of a folder that a CSV file lists; the paths in it start at the folder."""
    labels = request.base / str(request.data.labels)
    collection = _collect(request, labels, request.root, "data.labels")
    listed = {sample.image.file for sample in collection.samples if isinstance(sample.image, ImageFile)}
    left_out = count_unlisted_images(request.root, listed)
    note = f"{left_out:,} images below {request.data.path} are not in {request.data.labels}: not read"
    return Collection(
        collection.samples,
        collection.classes,
        collection.has_masks,
        collection.origin + f", {left_out:,} files left out" * bool(left_out),
        (*collection.notes, *[note] * bool(left_out)),
    )


def _collect(request: Request, file: Path, folder: Path, key: str) -> Collection:
    lines = sorted(_read_lines(file, f"{key} = {file}"), key=lambda line: Path(line.file).parts)
    order = request.order or order_of_labels((line.label for line in lines), str(file))
    masks, seen, samples = open_masks(request, order), dict[str, str](), []
    has_column = any(line.mask is not None for line in lines)
    for line in lines:
        if line.file in seen:
            raise DataError(f"{line.place}: {line.file!r} stands in {seen[line.file]} as well; remove one of the two")
        seen[line.file] = line.place.rpartition(": ")[2]
        refuse_missing(folder / line.file, line.place, "correct or remove the line; " + RELATIVE)
        label = order.of_label(line.label, line.place)
        image = ImageFile(folder / line.file, request.channels)
        mask = _mask(line, request, folder) if has_column else masks.of(line.file, label)
        samples.append(Sample(image_id(line.file, line.place), label, image, mask))
    has_masks = has_column or masks.are_there
    return Collection(samples, order.titles, has_masks, f"{len(lines):,} lines of {file.name}", masks.notes)


def _mask(line: Line, request: Request, folder: Path) -> MaskSource | None:
    if not line.mask:
        return None
    masks = folder if request.data.masks is None else request.base / request.data.masks
    refuse_missing(masks / line.mask, line.place, "correct the line, or leave its mask empty")
    return MaskFile(masks / line.mask)


def _read_lines(file: Path, place: str) -> list[Line]:
    try:
        content = read_file(file, TEXT)
    except UnreadableFile as error:
        raise DataError(f"{place}: {error}; {RELATIVE}") from None
    with refuse_what_a_parser_raises(DataError, place, "write lines of file,label or file,label,mask, as UTF-8"):
        rows = list(csv.reader(StringIO(content.decode("utf-8-sig"), newline=""), strict=True))
    lines = list(_lines(rows, place))
    if not lines:
        raise DataError(f"{place}: lists no image; write a line of file,label for each")
    return lines


def _lines(rows: list[list[str]], place: str) -> Iterator[Line]:
    header = [name.strip() for name in rows[0]] if rows else []
    for name in COLUMNS:
        if header.count(name) != 1:
            raise DataError(
                f"{place}: its first line has {header.count(name)} columns {name!r}; begin with "
                f"file,label or file,label,mask; {closest(name, header)}"
            )
    for number, row in enumerate(rows[1:], 2):
        if not row:
            continue
        where = f"{place}: line {number}"
        if len(row) != len(header):
            raise DataError(f"{where}: has {len(row)} values, the first line {len(header)}; correct it")
        values = dict(zip(header, map(str.strip, row), strict=True))
        for name in COLUMNS:
            if not values[name]:
                raise DataError(f"{where}: {name} is empty in {shorten_value(row)}; fill it in, or remove the line")
        yield Line(where, values["file"], values["label"], values.get(MASK))
