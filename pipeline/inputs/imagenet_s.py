"""ImageNet-S: folders of images, masks that number the classes in colours, and lists of what the folders hide.

Of the 752 validation images of ImageNet-S50, 136 lie in the folder of another class than the one that ImageNet gives
them; the published mapping lists say which. Gao et al., "Large-scale Unsupervised Semantic Segmentation", 2022.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.inputs.class_order import ClassOrder
from pipeline.inputs.collection import Collection, Request, Sample
from pipeline.inputs.image_listing import RELATIVE, list_images
from pipeline.inputs.stored_files import ImageFile, NumberedMaskFile, image_id
from pipeline.machine.files import MIB, UnreadableFile, read_file, refuse_what_a_parser_raises
from srd.errors import DataError

IGNORED = 1000
"""The number of pixels that are neither an object nor certainly none."""
VALIDATION = "validation"
RELABELLED = "ILSVRC2012_val_"
"""The beginning of the names of images whose folder need not be their label."""
MOST_LISTS = 10_000
"""The most entries of a folder of lists that are looked through."""
WAY_OUT = "set data.labels to the folder with the published lists (`data` of github.com/LUSSeg/ImageNet-S)"


class Lists(NamedTuple):
    """The content of the published lists."""

    categories: tuple[str, ...]
    """The folders, of which the first is number 1 in the masks."""
    sources: dict[str, str]
    """Path of an image in its split -> the folder of its ImageNet label."""


def collect_imagenet_s(request: Request) -> Collection:
    """Return the images of a split of ImageNet-S, labelled as ImageNet does where the network has that class.

    The mask of an image is of the class of its folder. Where that is not the label, it says nothing of the object.

    Raises
    ------
    DataError
        For a split without images, a folder that is no class, and lists that are missing.
    """
    split = request.data.split or VALIDATION
    root, masks = request.root / split, request.root / f"{split}-segmentation"
    listing = list_images(root)
    names = [image_id(str(file.relative_to(root)), "data.path") for file in listing.files]
    lists = _read_lists(request, split, listing.folders, names)
    order = request.order or ClassOrder([(name, name) for name in lists.categories], str(request.root))
    numbers = {name: number for number, name in enumerate(lists.categories, 1)}
    has_masks, place = masks.is_dir(), f"data.path = {root}"
    samples, relabelled = [], 0
    for name, file in zip(names, listing.files, strict=True):
        folder = Path(name).parts[0]
        source = lists.sources.get(name, folder)
        label = order.of_folder(source if source in order else folder, place)
        own = label == (order.of_folder(folder, place) if folder in order else None)
        relabelled += not own
        mask = NumberedMaskFile((masks / name).with_suffix(".png"), _number(folder, numbers, place), IGNORED)
        samples.append(Sample(name, label, ImageFile(file, request.channels), mask if own and has_masks else None))
    unlisted = sum(name not in lists.sources for name in names) if lists.sources else 0
    notes = (
        *listing.notes,
        *_in_words(len(names), relabelled, unlisted),
    )
    return Collection(samples, order.titles, has_masks, f"{len(listing.folders)} folders of {split}", notes)


def _in_words(n: int, relabelled: int, unlisted: int) -> Iterator[str]:
    if relabelled:
        yield (
            f"{relabelled:,} of {n:,} images have another label in ImageNet than their folder: they are labelled by "
            "ImageNet, and their masks, which are of the folder's class, are not read"
        )
    if unlisted:
        yield f"{unlisted:,} of {n:,} images are not in the mapping list: they are labelled by their folder"


def _number(folder: str, numbers: dict[str, int], place: str) -> int:
    if folder not in numbers:
        raise DataError(f"{place}: folder {folder!r} is none of the {len(numbers)} classes of ImageNet-S; {WAY_OUT}")
    return numbers[folder]


def _read_lists(request: Request, split: str, folders: tuple[str, ...], names: list[str]) -> Lists:
    size = _size(request.root)
    found = {} if request.data.labels is None else _files(request.base / request.data.labels)
    mapping = found.get(f"ImageNetS_im{size}_mapping_{split}.txt")
    if mapping is None and any(Path(name).name.startswith(RELABELLED) for name in names):
        raise DataError(
            f"data.path = {request.root}: the folders of {split} are not the labels of all images; "
            f"{WAY_OUT}, among them ImageNetS_im{size}_mapping_{split}.txt"
        )
    categories = found.get(f"ImageNetS_categories_im{size}.txt")
    if categories is None and len(folders) != size:
        raise DataError(
            f"data.path = {request.root}: holds {len(folders)} of the {size} folders, by which masks are numbered; "
            f"{WAY_OUT}, among them ImageNetS_categories_im{size}.txt"
        )
    return Lists(
        folders if categories is None else tuple(_words(categories)),
        {} if mapping is None else dict(_sources(mapping)),
    )


def _size(root: Path) -> int:
    """Return the number of classes, which stands in the name of the folder: ImageNetS50."""
    found = re.search(r"(50|300|919)$", root.resolve().name)
    if found is None:
        raise DataError(
            f"data.path = {root}: does not end in the number of its classes; call the folder ImageNetS50, "
            "ImageNetS300 or ImageNetS919"
        )
    return int(found[1])


def _files(folder: Path) -> dict[str, Path]:
    """Return the lists below a folder by their names."""
    found: dict[str, Path] = {}
    for number, file in enumerate(folder.rglob("ImageNetS_*.txt")):
        if number == MOST_LISTS:
            raise DataError(f"data.labels = {folder}: holds more than {MOST_LISTS} lists; {WAY_OUT}")
        found[file.name] = file
    if not found:
        raise DataError(f"data.labels = {folder}: holds no list ImageNetS_*.txt; {WAY_OUT}; {RELATIVE}")
    return found


def _words(file: Path) -> list[str]:
    place = f"data.labels: {file}"
    try:
        content = read_file(file, 16 * MIB)
    except UnreadableFile as error:
        raise DataError(f"{place}: {error}; {WAY_OUT}") from None
    with refuse_what_a_parser_raises(DataError, place, "take the list as it was published"):
        return content.decode("ascii").split()


def _sources(file: Path) -> Iterator[tuple[str, str]]:
    """Yield (path in the split, folder of the ImageNet label) of lines such as `n02119789/x.JPEG n02119022/x.JPEG`."""
    words = _words(file)
    for before, after in zip(words[::2], words[1::2], strict=False):
        if len(words) % 2 or before.count("/") != 1 or before.partition("/")[2] != after.partition("/")[2]:
            raise DataError(
                f"data.labels: {file}: {before} {after} are not two places of one image; "
                "take the list as it was published"
            )
        yield after, before.partition("/")[0]
