"""A folder of images, with one folder for each class."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from hashlib import sha256
from itertools import chain
from pathlib import Path
from textwrap import shorten

import numpy as np
import torch
from torch import Tensor

from pipeline.inputs.geometry import Geometry
from pipeline.inputs.image_files import Picture, read_content, read_picture
from pipeline.inputs.image_listing import RELATIVE, list_images, refuse_bad_path
from pipeline.machine.files import LONG, TEXT, UnreadableFile, read_file, refuse_what_a_parser_raises
from pipeline.machine.phases import Tell, count_aloud, tell_nobody
from pipeline.spec.values import closest
from srd.errors import DataError


class ImageFolder:
    """A folder with one folder for each class; the class order is that of a file, or alphabetical.

    Raises
    ------
    DataError
        For a folder without images, a folder that is no class, and a missing mask. `check` raises it for an image that
        cannot be read, images of several sizes without a resize policy, and masks of another size.
    """

    has_masks: bool

    def __init__(
        self,
        root: Path,
        n: int | None,
        classes: Path | None,
        resize: int | tuple[int, int] | None,
        masks: Path | None,
        geometry: Geometry | None = None,
    ) -> None:
        listing = list_images(root, n)
        square = resize if isinstance(resize, tuple) or resize is None else (resize, resize)
        bare = Geometry(None, None, "bilinear")
        self._geometry = geometry or (Geometry(square[0], (square[1],) * 2, "bilinear") if square else bare)
        order = _class_order(classes) if classes else [(name, name) for name in listing.folders]
        position = {name: index for index, (name, _) in enumerate(order)}
        _refuse_unknown_folders(root, listing.folders, position, classes)
        self._files = listing.files
        self.ids = tuple(_image_id(file.relative_to(root)) for file in self._files)
        self.labels = tuple(position[Path(name).parts[0]] for name in self.ids)
        self.classes = tuple(title for _, title in order)
        self.has_masks = masks is not None
        self._masks = [_mask_file(masks, name) for name in self.ids] if masks else []
        self._listing = listing
        self.notes = listing.notes
        left_out = f", {listing.n_left_out:,} files left out" * bool(listing.n_left_out)
        self.description = f"{len(self._files)} images of {len(listing.folders)} folders{left_out}"

    def images(self, rows: Sequence[int]) -> Tensor:
        return torch.stack([self._pixels(row, read_picture(self._files[row])) for row in rows])

    def masks(self, rows: Sequence[int]) -> Tensor:
        return torch.stack([self._mask(row, read_picture(self._masks[row])) for row in rows])

    def check(self, tell: Tell = tell_nobody) -> None:
        """Read every image and mask once, and note the images of which nothing is visible."""
        invisible: list[str] = []
        first: torch.Size | None = None
        for row, file in enumerate(count_aloud(self._files, "reading images", tell)):
            picture = read_picture(file)
            shape = self._pixels(row, picture).shape
            first = first or shape
            if shape != first:
                raise DataError(
                    f"{file} is {shape[2]}x{shape[1]}, {self._files[0]} is {first[2]}x{first[1]}: "
                    "set model.resize, such as resize = [256, 224]"
                )
            if self._masks:
                self._refuse_other_size(row, picture)
            invisible += [self.ids[row]] * picture.is_invisible
        self.notes = (*self._listing.notes, *_invisible_images_in_words(invisible))

    def _pixels(self, row: int, picture: Picture) -> Tensor:
        pixels = self._geometry.apply(str(self._files[row]), np.asarray(picture.pixels))
        return torch.from_numpy(pixels.astype(np.float32) / 255).permute(2, 0, 1)

    def _mask(self, row: int, picture: Picture) -> Tensor:
        parts = np.asarray(np.asarray(picture.pixels).any(2), np.uint8)
        return torch.from_numpy(self._geometry.apply_to_mask(str(self._masks[row]), parts) > 0)

    def _refuse_other_size(self, row: int, picture: Picture) -> None:
        """Refuse a mask that does not have the size of its image, both upright and not yet resized."""
        mask = read_picture(self._masks[row])
        theirs, own = picture.pixels.size, mask.pixels.size
        if theirs != own:
            raise DataError(
                f"{self._masks[row]}: a mask must have the size of its image; it is {own[0]}x{own[1]}, "
                f"{self._files[row]} is {theirs[0]}x{theirs[1]} when upright; draw it on the upright image"
            )
        self._mask(row, mask)

    @cached_property
    def digest(self) -> str:
        digest = sha256(repr((self.ids, self.labels, self.classes, self._geometry)).encode())
        for file in chain(self._files, self._masks):
            digest.update(sha256(read_content(file)).digest())
        return digest.hexdigest()


def _image_id(file: Path) -> str:
    """Return the path of an image in its folder, which names its random streams and its row in the store."""
    name = str(file)
    if not name.isprintable():
        raise DataError(f"data.path: {name!r}: the name is not plain UTF-8 text; rename the file")
    return name


def _class_order(file: Path) -> list[tuple[str, str]]:
    """Return (folder, title) of each class, in the order of the network's outputs."""
    place = f"model.classes = {file}"
    rows = _class_rows(file, place)
    if not isinstance(rows, list) or not all(isinstance(row, str) or _is_pair(row) for row in rows):
        raise DataError(f"{place}: expected a list of names or of [folder, title]")
    pairs = [(row, row) if isinstance(row, str) else row for row in rows]
    order = [(folder.strip(), title.strip()) for folder, title in pairs]
    for name in chain.from_iterable(order):
        if not name or not name.isprintable():
            raise DataError(f"{place}: {shorten(repr(name), LONG)} is empty or cannot be printed; rename it")
    for folder, n in Counter(folder for folder, _ in order).items():
        if n > 1:
            raise DataError(f"{place}: folder {folder!r} stands {n} times; each class has one of its own")
    return order


def _class_rows(file: Path, place: str) -> object:
    """Return what a class list holds: the value of a JSON file, or the lines of another."""
    try:
        content = read_file(file, TEXT)
    except UnreadableFile as error:
        raise DataError(f"{place}: {error}; {RELATIVE}") from None
    with refuse_what_a_parser_raises(DataError, place, "write a list of names or of [folder, title], as UTF-8"):
        text = content.decode("utf-8-sig")
        return json.loads(text) if file.suffix == ".json" else [line for line in text.splitlines() if line.strip()]


def _is_pair(row: object) -> bool:
    return isinstance(row, list) and len(row) == 2 and all(isinstance(text, str) for text in row)


def _refuse_unknown_folders(root: Path, folders: tuple[str, ...], known: dict[str, int], classes: Path | None) -> None:
    for name in folders:
        if name not in known:
            raise DataError(f"data.path = {root}: folder {name!r} is no class of {classes}; {closest(name, known)}")


def _mask_file(masks: Path, name: str) -> Path:
    file = (masks / name).with_suffix(".png")
    with refuse_bad_path(f"data.masks: {file}"):
        is_there = file.exists()
    if not is_there:
        raise DataError(f"data.masks: {file} is missing; every image needs one, or leave data.masks out")
    return file


def _invisible_images_in_words(names: Sequence[str]) -> Iterator[str]:
    if names:
        more = f" and {len(names) - 1:,} more" * (len(names) > 1)
        yield f"{names[0]}{more}: alpha is 0 everywhere; the network sees the colours without it"
