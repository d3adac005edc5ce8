"""A folder of images, with one folder for each class."""

import json
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from hashlib import sha256
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pipeline.spec.values import closest
from srd.errors import DataError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


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
        image = _resize_and_crop(_open_image(self._files[row]).convert("RGB"), self._resize, Image.Resampling.BILINEAR)
        return torch.from_numpy(np.asarray(image, np.float32) / 255).permute(2, 0, 1)

    def _mask(self, row: int) -> Tensor:
        mask = _resize_and_crop(_open_image(self._masks[row]).convert("L"), self._resize, Image.Resampling.NEAREST)
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
            digest.update(sha256(file.read_bytes()).digest())
        return digest.hexdigest()


def class_folders(root: Path) -> list[Path]:
    """Return the folders of the classes.

    Raises
    ------
    DataError
        If there are none.
    """
    if not root.is_dir():
        raise DataError(f"data.path = {root}: no such folder; relative paths start at the folder of the spec")
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not folders:
        raise DataError(f"data.path = {root}: holds no folders; put the images of each class into one")
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
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


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
    try:
        text = file.read_text()
        rows = json.loads(text) if file.suffix == ".json" else [line for line in text.splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"model.classes = {file}: {error}") from error
    if not isinstance(rows, list) or not all(isinstance(row, str) or _is_pair(row) for row in rows):
        raise DataError(f"model.classes = {file}: expected a list of names or of [folder, title]")
    pairs = [(row, row) if isinstance(row, str) else row for row in rows]
    order = [(folder.strip(), title.strip()) for folder, title in pairs]
    for folder, n in Counter(folder for folder, _ in order).items():
        if n > 1:
            raise DataError(
                f"model.classes = {file}: folder {folder!r} stands {n} times; each class has one of its own"
            )
    return order


def _is_pair(row: object) -> bool:
    return isinstance(row, list) and len(row) == 2 and all(isinstance(text, str) for text in row)


def _refuse_unknown_folders(root: Path, folders: list[Path], known: dict[str, int], classes: Path | None) -> None:
    for folder in folders:
        if folder.name not in known:
            way_out = closest(folder.name, known)
            raise DataError(f"data.path = {root}: folder {folder.name!r} is no class of {classes}; {way_out}")


def _mask_file(masks: Path, name: str) -> Path:
    file = (masks / name).with_suffix(".png")
    if not file.is_file():
        raise DataError(f"data.masks: {file} is missing; every image needs one, or leave data.masks out")
    return file


def _open_image(file: Path) -> Image.Image:
    try:
        image = Image.open(file)
        image.load()
    except Exception as error:  # a damaged file may raise anything
        raise DataError(f"{file}: cannot be read as an image ({error}); remove or replace it") from error
    if image.mode.startswith(("I", "F")):
        raise DataError(f"{file}: has pixels of mode {image.mode}, not 8 bits a channel; convert it first")
    return image


def _resize_and_crop(
    image: Image.Image, resize: int | tuple[int, int] | None, resampling: Image.Resampling
) -> Image.Image:
    """Resize the shorter side to `resize[0]`, then cut out the central square of `resize[1]`."""
    if resize is None:
        return image
    side, crop = (resize, resize) if isinstance(resize, int) else resize
    scale = side / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), resampling)
    left, top = (image.width - crop) // 2, (image.height - crop) // 2
    return image.crop((left, top, left + crop, top + crop))
