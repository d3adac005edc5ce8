"""The masks that a spec names beside its images: a folder of PNG files, or a JSON file of COCO's instances."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from pipeline.inputs.class_order import ClassOrder
from pipeline.inputs.coco_instances import Instances, read_instances
from pipeline.inputs.collection import MaskSource, Request
from pipeline.inputs.stored_files import MaskFile


class Masks(Protocol):
    """The masks of a data set, by the names of its images."""

    are_there: bool

    def of(self, name: str, label: int) -> MaskSource | None:
        """Return the mask of an image; None if nothing says where the object is."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """Return sentences on the masks that were asked for until now."""
        ...


class NoMasks:
    """The masks of a data set that has none."""

    are_there = False
    notes: tuple[str, ...] = ()

    def of(self, name: str, label: int) -> MaskSource | None:
        return None


class MaskFolder:
    """A folder with one PNG for each image, at the same relative path."""

    are_there = True
    notes: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, name: str, label: int) -> MaskSource | None:
        return MaskFile((self._folder / name).with_suffix(".png"))


class InstanceMasks:
    """The instances of a JSON file of COCO: of an image's own class or, if no category is called so, its only one."""

    are_there = True

    def __init__(self, instances: Instances, order: ClassOrder) -> None:
        self._instances = instances
        self._categories = [
            next((category for each in names if (category := instances.category(each)) is not None), None)
            for names in zip(order.folders, order.titles, strict=True)
        ]
        self._by_only_category = 0

    def of(self, name: str, label: int) -> MaskSource | None:
        category = self._categories[label]
        if category is None:
            category = self._instances.only_category(name)
            self._by_only_category += category is not None
        return None if category is None else self._instances.mask(name, category)

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(self._sentences())

    def _sentences(self) -> Iterator[str]:
        if self._by_only_category:
            yield (
                f"{self._by_only_category:,} images: no category of data.masks is called as their class; "
                "their mask is of the only category that they have"
            )


def open_masks(request: Request, order: ClassOrder) -> Masks:
    """Return the masks of `data.masks`, whatever their form.

    Raises
    ------
    DataError
        If a JSON file cannot be read.
    """
    given = request.data.masks
    if given is None:
        return NoMasks()
    if given.endswith(".json"):
        return InstanceMasks(read_instances(request.base / given), order)
    return MaskFolder(request.base / given)
