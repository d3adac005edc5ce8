"""All images of a data set as they are stored, whatever its format: where pixels, labels and masks come from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.inputs.class_order import ClassOrder
from pipeline.spec.data import DataSpec

OTHER, OBJECT, IGNORED = 0, 1, 2
"""The parts of a mask: not the object, the object, and pixels of which nothing is known."""
Parts = NDArray[np.uint8]
"""A mask (h, w) of these numbers."""


class Picture(NamedTuple):
    """The pixels of an image, upright and not yet resized."""

    pixels: NDArray[Any]
    """(h, w, c): bytes, or float32 in [0, 1]."""
    is_invisible: bool = False
    """Whether an alpha channel, which is dropped, is 0 everywhere."""


class ImageSource(Protocol):
    """One stored image."""

    @property
    def place(self) -> str:
        """Return where the image is, for messages."""
        ...

    def read(self) -> Picture:
        """Return the image.

        Raises
        ------
        DataError
            If it cannot be read.
        """
        ...

    def content(self) -> bytes:
        """Return all that the pixels are made from."""
        ...


class MaskSource(Protocol):
    """The mask of one image, of the size of the upright image."""

    @property
    def place(self) -> str:
        """Return where the mask is, for messages."""
        ...

    def read(self) -> Parts:
        """Return the mask.

        Raises
        ------
        DataError
            If it cannot be read.
        """
        ...

    def content(self) -> bytes:
        """Return all that the mask is made from."""
        ...


@dataclass(frozen=True)
class Sample:
    """An image with its name, its label and, where there is one, its mask."""

    id: str
    """A stable name, which also names the image's random streams."""
    label: int
    image: ImageSource
    mask: MaskSource | None = None
    """None where no mask says where the object is."""


@dataclass(frozen=True)
class Collection:
    """All images of a data set, in the order of their names."""

    samples: Sequence[Sample]
    classes: tuple[str, ...]
    """The titles of the classes, in the order of the network's outputs."""
    has_masks: bool
    origin: str
    """What the images are of, such as "3 folders, 2 files left out"."""
    notes: tuple[str, ...] = ()
    """Sentences on what was left out or is odd."""


class Request(NamedTuple):
    """A wish for the images of a data set."""

    data: DataSpec
    root: Path
    """`data.path`."""
    base: Path
    """The folder at which relative paths start."""
    order: ClassOrder | None
    """The classes of `model.classes`."""
    channels: int
    """The channels that image files are read with: 1 or 3."""
