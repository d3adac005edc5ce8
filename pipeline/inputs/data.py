"""The images, masks and labels of an audit, which come from the demo or from a folder."""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from pipeline.demo import grids, shapes
from pipeline.inputs.geometry import geometry_of
from pipeline.inputs.image_folder import ImageFolder
from pipeline.inputs.image_listing import list_images
from pipeline.machine.phases import Tell, tell_nobody
from pipeline.spec.audit import GRIDS, DataSpec
from pipeline.spec.model import ModelSpec
from pipeline.spec.values import closest
from srd.errors import DataError

DEMO_IMAGES = 60
SHAPES = "demo:shapes"


class Data(Protocol):
    """A fixed, ordered set of images."""

    ids: tuple[str, ...]
    """Stable names, which also name the images' random streams."""
    labels: tuple[int, ...]
    classes: tuple[str, ...]
    has_masks: bool
    description: str
    notes: tuple[str, ...]
    """Sentences on what was left out or is odd; `check` adds to them."""

    @property
    def digest(self) -> str:
        """Return the digest of everything that the images, labels and masks are made from."""
        ...

    def check(self, tell: Tell = tell_nobody) -> None:
        """Read every image and mask once.

        Raises
        ------
        DataError
            For what cannot be read or does not fit.
        """
        ...

    def images(self, rows: Sequence[int]) -> Tensor:
        """Return images (n, 3, h, w) in [0, 1]."""
        ...

    def masks(self, rows: Sequence[int]) -> Tensor:
        """Return masks (n, h, w), True on the object."""
        ...


class _Procedural:
    """The first pictures of a procedural data set, of which none can be missing."""

    def __init__(self, kind: str, n: int, seed: int, sources: Sequence[ModuleType], description: str) -> None:
        self._seed = seed
        self.ids = tuple(f"{kind}-{seed}-{index:06d}" for index in range(n))
        self.labels = tuple(index % len(shapes.CLASSES) for index in range(n))
        self.classes = shapes.CLASSES
        self.has_masks = True
        self.notes: tuple[str, ...] = ()
        source = b"".join(Path(str(module.__file__)).read_bytes() for module in sources)
        self.digest = sha256(source + f"{seed}:{n}".encode()).hexdigest()
        self.description = description

    def check(self, tell: Tell = tell_nobody) -> None: ...


class Shapes(_Procedural):
    """The first scenes of the demo's data set."""

    def __init__(self, n: int, seed: int = shapes.TEST_SEED) -> None:
        description = f"procedural shapes, seed {seed}, {shapes.SIZE}x{shapes.SIZE}"
        super().__init__("shapes", n, seed, (shapes,), description)

    def images(self, rows: Sequence[int]) -> Tensor:
        return torch.from_numpy(np.stack([_scene(self._seed, row).image for row in rows]))

    def masks(self, rows: Sequence[int]) -> Tensor:
        return torch.from_numpy(np.stack([_scene(self._seed, row).full for row in rows]))


@lru_cache(maxsize=256)
def _scene(seed: int, index: int) -> shapes.Scene:
    return shapes.scene(seed, index)


class Grids(_Procedural):
    """The first grids of demo scenes, in which the mask is the cell of the label."""

    def __init__(self, n: int, seed: int = shapes.TEST_SEED) -> None:
        side = shapes.SIZE * grids.SIDE
        description = f"grids of four procedural shapes, seed {seed}, {side}x{side}; masks: the cell of the label"
        super().__init__("grids", n, seed, (shapes, grids), description)

    def images(self, rows: Sequence[int]) -> Tensor:
        return torch.from_numpy(np.stack([_grid(self._seed, row).image for row in rows]))

    def masks(self, rows: Sequence[int]) -> Tensor:
        return torch.from_numpy(np.stack([_grid(self._seed, row).mask for row in rows]))


@lru_cache(maxsize=256)
def _grid(seed: int, index: int) -> grids.Grid:
    return grids.grid(seed, index)


class Subset:
    """Some of the images of a set, in its order."""

    def __init__(self, data: Data, rows: Sequence[int]) -> None:
        self._data, self._rows = data, sorted(rows)
        self.ids = tuple(data.ids[row] for row in self._rows)
        self.labels = tuple(data.labels[row] for row in self._rows)
        self.classes = data.classes
        self.has_masks, self.notes = data.has_masks, data.notes
        self.digest = sha256(repr((data.digest, self._rows)).encode()).hexdigest()
        self.description = f"{len(self._rows)} of {data.description}"

    def check(self, tell: Tell = tell_nobody) -> None:
        self._data.check(tell)

    def images(self, rows: Sequence[int]) -> Tensor:
        return self._data.images([self._rows[row] for row in rows])

    def masks(self, rows: Sequence[int]) -> Tensor:
        return self._data.masks([self._rows[row] for row in rows])


def load_data(data: DataSpec, model: ModelSpec, base: Path, tell: Tell = tell_nobody) -> Data:
    """Return the images of a spec whose relative paths start at `base`, after all of them were read once.

    Raises
    ------
    DataError
        If an image or mask is missing, cannot be read, or does not fit.
    """
    images = open_data(data, model, base)
    images.check(tell)
    return images


def open_data(data: DataSpec, model: ModelSpec, base: Path) -> Data:
    """Return the images of a spec as `load_data` does, without reading them: for processes of a checked run."""
    if data.path.startswith("demo:"):
        _refuse_demo_keys(data, model)
        return Grids(data.n or DEMO_IMAGES) if data.path == GRIDS else Shapes(data.n or DEMO_IMAGES)
    classes = base / model.classes if model.classes else None
    masks = base / data.masks if data.masks else None
    return ImageFolder(base / data.path, data.n, classes, None, masks, geometry_of(model))


def n_images(data: DataSpec, base: Path) -> int:
    """Return how many images `load_data` returns, without opening any.

    Raises
    ------
    DataError
        As `load_data` does.
    """
    if data.path.startswith("demo:"):
        return data.n or DEMO_IMAGES
    return len(list_images(base / data.path, data.n).files)


def _refuse_demo_keys(data: DataSpec, model: ModelSpec) -> None:
    if data.path not in {SHAPES, GRIDS}:
        raise DataError(f"data.path = {data.path!r}: {closest(data.path, [SHAPES, GRIDS])}")
    if data.path == GRIDS and model.spec == "demo:vgg":
        raise DataError(
            f"data.path = {GRIDS!r}: model.spec = 'demo:vgg' reads {shapes.SIZE}x{shapes.SIZE} alone, "
            "grids are twice as large; set model.spec = 'demo:resnet'"
        )
    for key, value in (("model.resize", model.resize), ("model.classes", model.classes), ("data.masks", data.masks)):
        if value is not None:
            raise DataError(f"{key} = {value!r}: the demo images have their own; remove the key")
