"""A folder of images, with one folder for each class."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from hashlib import sha256
from itertools import chain, zip_longest
from pathlib import Path
from textwrap import shorten

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pipeline.inputs.image_files import read_content, read_image, resize_and_crop
from pipeline.machine.files import LONG, OF_THE_PATH, TEXT, UnreadableFile, read_file, refuse_what_a_parser_raises
from pipeline.spec.values import closest
from srd.errors import DataError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
RELATIVE = "relative paths start at the folder of the spec"


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
    ) -> None:
        folders = class_folders(root)
        self._resize = resize
        order = _class_order(classes) if classes else [(folder.name, folder.name) for folder in folders]
        position = {name: index for index, (name, _) in enumerate(order)}
        _refuse_unknown_folders(root, folders, position, classes)
        self._files = select_files(root, folders, n)
        self.ids = tuple(_image_id(file.relative_to(root)) for file in self._files)
        self.labels = tuple(position[file.parent.name] for file in self._files)
        self.classes = tuple(title for _, title in order)
        self.has_masks = masks is not None
        self._masks = [_mask_file(masks, name) for name in self.ids] if masks else []
        self.description = f"{len(self._files)} images of {len(folders)} folders"

    def images(self, rows: Sequence[int]) -> Tensor:
        return torch.stack([self._pixels(row) for row in rows])

    def masks(self, rows: Sequence[int]) -> Tensor:
        return torch.stack([self._mask(row) for row in rows])

    def _pixels(self, row: int) -> Tensor:
        file = self._files[row]
        image = resize_and_crop(file, read_image(file, "RGB"), self._resize, Image.Resampling.BILINEAR)
        return torch.from_numpy(np.asarray(image, np.float32) / 255).permute(2, 0, 1)

    def _mask(self, row: int) -> Tensor:
        file = self._masks[row]
        mask = resize_and_crop(file, read_image(file, "L"), self._resize, Image.Resampling.NEAREST)
        return torch.from_numpy(np.asarray(mask) > 0)

    def check(self) -> None:
        first = self._pixels(0).shape
        for row, file in enumerate(self._files):
            shape = self._pixels(row).shape
            if shape != first:
                raise DataError(
                    f"{file} is {shape[2]}x{shape[1]}, {self._files[0]} is {first[2]}x{first[1]}: "
                    "set model.resize, such as resize = [256, 224]"
                )
            if self._masks and self._mask(row).shape != shape[1:]:
                raise DataError(f"{self._masks[row]}: a mask must have the size of its image {file}")

    @cached_property
    def digest(self) -> str:
        digest = sha256(repr((self.ids, self.labels, self.classes, self._resize)).encode())
        for file in chain(self._files, self._masks):
            digest.update(sha256(read_content(file)).digest())
        return digest.hexdigest()


def class_folders(root: Path) -> list[Path]:
    """Return the folders of the classes.

    Raises
    ------
    DataError
        If there are none, or if one cannot be the name of a class.
    """
    with _refuse_bad_path(f"data.path = {root}: no such folder"):
        folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not folders:
        raise DataError(f"data.path = {root}: holds no folders; put the images of each class into one")
    for folder in folders:
        if not folder.name.isprintable():
            raise DataError(f"data.path: {folder.name!r}: the name is not plain UTF-8 text; rename the folder")
    return folders


def select_files(root: Path, folders: list[Path], n: int | None) -> list[Path]:
    """Return the files of all images of the data set, or of `n` of them.

    Raises
    ------
    DataError
        If there are no images, or fewer than `n`.
    """
    files = _interleave([_image_files(folder) for folder in folders], n)
    if not files:
        raise DataError(f"data.path = {root}: its folders hold no image ({', '.join(sorted(SUFFIXES))})")
    if n is not None and len(files) < n:
        raise DataError(f"data.n = {n}: {root} holds only {len(files)} images; ask for fewer, or leave n out")
    return files


def _image_files(folder: Path) -> list[Path]:
    with _refuse_bad_path(f"data.path: {folder}"):
        return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


@contextmanager
def _refuse_bad_path(place: str) -> Iterator[None]:
    """Refuse a path that cannot be one, and one that cannot be listed, but not a disk that fails."""
    try:
        yield
    except ValueError as error:
        raise DataError(f"{place} ({error}); {RELATIVE}") from None
    except OSError as error:
        if error.errno not in OF_THE_PATH:
            raise
        raise DataError(f"{place} ({error.strerror}); {RELATIVE}") from None


def _image_id(file: Path) -> str:
    """Return the path of an image in its folder, which names its random streams and its row in the store."""
    name = str(file)
    if not name.isprintable():
        raise DataError(f"data.path: {name!r}: the name is not plain UTF-8 text; rename the file")
    return name


def _interleave(folders: list[list[Path]], n: int | None) -> list[Path]:
    """Return at most `n` images, taken from the classes in turn, in the order of the folders."""
    turns = [path for turn in zip_longest(*folders) for path in turn if path is not None]
    return sorted(turns[:n])


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


def _refuse_unknown_folders(root: Path, folders: list[Path], known: dict[str, int], classes: Path | None) -> None:
    for folder in folders:
        if folder.name not in known:
            way_out = closest(folder.name, known)
            raise DataError(f"data.path = {root}: folder {folder.name!r} is no class of {classes}; {way_out}")


def _mask_file(masks: Path, name: str) -> Path:
    file = (masks / name).with_suffix(".png")
    with _refuse_bad_path(f"data.masks: {file}"):
        is_there = file.exists()
    if not is_there:
        raise DataError(f"data.masks: {file} is missing; every image needs one, or leave data.masks out")
    return file
