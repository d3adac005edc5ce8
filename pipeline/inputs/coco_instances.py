"""The instances of a JSON file of COCO: which images it knows, and the masks of their annotations."""

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NotRequired

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter
from typing_extensions import TypedDict

from pipeline.inputs.collection import IGNORED, OBJECT, OTHER, Parts
from pipeline.inputs.image_files import MOST_PIXELS
from pipeline.inputs.image_listing import RELATIVE
from pipeline.inputs.run_lengths import decompress, from_polygon, from_run_lengths
from pipeline.machine.files import MIB, UnreadableFile, read_file, refuse_what_a_parser_raises
from pipeline.spec.values import closest
from srd.errors import DataError

MOST_BYTES = 1024 * MIB
"""The most bytes of the file; those of COCO's training images take 450 MB."""
WAY_OUT = "write it as COCO's instances, with images, annotations and categories"


class _ImageRecord(TypedDict):
    __pydantic_config__ = ConfigDict(strict=True)  # type: ignore[misc]
    id: int
    file_name: str
    height: int
    width: int


class _Category(TypedDict):
    __pydantic_config__ = ConfigDict(strict=True)  # type: ignore[misc]
    id: int
    name: str


class _Annotation(TypedDict):
    __pydantic_config__ = ConfigDict(strict=True)  # type: ignore[misc]
    image_id: int
    category_id: int
    segmentation: Any
    iscrowd: NotRequired[int]


class _File(TypedDict):
    images: list[_ImageRecord]
    annotations: list[_Annotation]
    categories: list[_Category]


@dataclass(frozen=True)
class InstanceMask:
    """The union of an image's annotations of one category; crowds are ignored where no single instance is."""

    place: str
    height: int
    width: int
    instances: tuple[Any, ...]
    crowds: tuple[Any, ...]

    def read(self) -> Parts:
        parts = np.full((self.height, self.width), OTHER, np.uint8)
        for value, segmentations in ((IGNORED, self.crowds), (OBJECT, self.instances)):
            for segmentation in segmentations:
                parts[self._mask(segmentation)] = value
        return parts

    def content(self) -> bytes:
        return json.dumps([self.height, self.width, self.instances, self.crowds]).encode()

    def _mask(self, segmentation: Any) -> NDArray[np.bool_]:
        way_out = "correct the annotation, or remove it"
        with refuse_what_a_parser_raises(DataError, self.place, way_out):
            if segmentation == []:
                raise ValueError("has no polygon")
            if isinstance(segmentation, list):
                polygons = [from_polygon(each, self.height, self.width) for each in segmentation]
                union: NDArray[np.bool_] = np.logical_or.reduce(polygons, axis=0)
                return union
            if list(segmentation["size"]) != [self.height, self.width]:
                raise ValueError(f"run lengths are of {segmentation['size']}, the image of {[self.height, self.width]}")
            counts = segmentation["counts"]
            return from_run_lengths(decompress(counts) if isinstance(counts, str) else counts, self.height, self.width)


class Instances:
    """The images, categories and annotations of a file, as they refer to each other."""

    def __init__(self, file: Path, content: _File) -> None:
        self._file = file
        self._images = {record["file_name"]: record for record in content["images"]}
        self._by_base_name: dict[str, list[_ImageRecord]] = defaultdict(list)
        for record in content["images"]:
            self._by_base_name[Path(record["file_name"]).name].append(record)
        self._categories = {_plain(each["name"]): each["id"] for each in content["categories"]}
        self._annotations: dict[int, list[_Annotation]] = defaultdict(list)
        for each in content["annotations"]:
            self._annotations[each["image_id"]].append(each)

    def category(self, name: str) -> int | None:
        """Return the category of this name, whatever its case, with spaces or underscores; None if there is none."""
        return self._categories.get(_plain(name))

    def only_category(self, image: str) -> int | None:
        """Return the category of all annotations of an image; None if it has none or several."""
        found = {each["category_id"] for each in self._annotations[self._record(image)["id"]]}
        return found.pop() if len(found) == 1 else None

    def mask(self, image: str, category: int) -> InstanceMask | None:
        """Return the mask of an image's annotations of a category; None if it has none.

        Raises
        ------
        DataError
            If the file has no such image, or one that is too large.
        """
        record = self._record(image)
        found = [each for each in self._annotations[record["id"]] if each["category_id"] == category]
        if not found:
            return None
        place = f"data.masks = {self._file}: image {record['file_name']!r}"
        if not 0 < record["height"] * record["width"] <= MOST_PIXELS:
            raise DataError(
                f"{place}: is {record['width']}x{record['height']}, not of 1 to {MOST_PIXELS} pixels; {WAY_OUT}"
            )
        single, crowds = ([e["segmentation"] for e in found if bool(e.get("iscrowd", 0)) == kind] for kind in (0, 1))
        return InstanceMask(place, record["height"], record["width"], tuple(single), tuple(crowds))

    def _record(self, image: str) -> _ImageRecord:
        """Return what the file says of an image, by its path in the folder or else by its bare name."""
        if image in self._images:
            return self._images[image]
        found = self._by_base_name.get(Path(image).name, [])
        if len(found) != 1:
            raise DataError(
                f"data.masks = {self._file}: {len(found) or 'no'} images are called {Path(image).name!r}; "
                f"give each a file_name that is its path in data.path; {closest(image, self._images)}"
            )
        return found[0]


def read_instances(file: Path) -> Instances:
    """Return the instances of a JSON file.

    Raises
    ------
    DataError
        If it cannot be read, or is no such file.
    """
    place = f"data.masks = {file}"
    try:
        content = read_file(file, MOST_BYTES)
    except UnreadableFile as error:
        raise DataError(f"{place}: {error}; {RELATIVE}") from None
    with refuse_what_a_parser_raises(DataError, place, WAY_OUT):
        found = TypeAdapter(_File).validate_python(json.loads(content))
        return Instances(file, found)


def _plain(name: str) -> str:
    return name.casefold().replace("_", " ").strip()
