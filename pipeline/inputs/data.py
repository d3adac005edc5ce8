"""The images, masks and labels of an audit, whatever the format that they are stored in."""

from collections.abc import Callable, Container, Mapping, Sequence
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from torch import Tensor

from pipeline.demo import shapes
from pipeline.inputs.class_order import read_class_order
from pipeline.inputs.collection import Collection, Request
from pipeline.inputs.demo_data import Grids, Shapes
from pipeline.inputs.geometry import geometry_of
from pipeline.inputs.image_set import ImageSet
from pipeline.inputs.sampling import choose
from pipeline.machine.phases import Tell, tell_nobody
from pipeline.spec.data import GRIDS, SHAPES, DataSpec
from pipeline.spec.model import ModelSpec
from pipeline.spec.values import closest
from srd.errors import DataError

DEMO_IMAGES = 60
COLOURS = 3


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
        """Return images (n, c, h, w) in [0, 1]."""
        ...

    def masks(self, rows: Sequence[int]) -> Tensor:
        """Return masks (n, h, w), True on the object."""
        ...

    def ignored_pixels(self, rows: Sequence[int]) -> Tensor:
        """Return where nothing is known of the object (n, h, w); all of an image without a mask."""
        ...


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

    def ignored_pixels(self, rows: Sequence[int]) -> Tensor:
        return self._data.ignored_pixels([self._rows[row] for row in rows])


COLLECTORS: Mapping[str, str] = MappingProxyType(
    {
        "folder": "pipeline.inputs.image_folder:collect_folder",
        "labelled folder": "pipeline.inputs.labelled_files:collect_labelled_folder",
        "csv": "pipeline.inputs.labelled_files:collect_csv",
        "imagenet-s": "pipeline.inputs.imagenet_s:collect_imagenet_s",
        "arrays": "pipeline.inputs.arrays:collect_arrays",
        "torchvision": "pipeline.inputs.torchvision_data:collect_torchvision",
        "huggingface": "pipeline.inputs.hugging_face_data:collect_hugging_face",
    }
)
"""Format -> `module:function` that collects its images."""


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


def open_data(data: DataSpec, model: ModelSpec, base: Path, ids: Container[str] | None = None) -> Data:
    """Return the images of a spec as `load_data` does, without reading them: for processes of a checked run.

    `ids` names the chosen images of data of which the network chose.
    """
    if data.kind == "demo":
        _refuse_demo_keys(data, model)
        return Grids(data.n or DEMO_IMAGES) if data.path == GRIDS else Shapes(data.n or DEMO_IMAGES)
    collection = collect(data, model, base)
    if ids is None:
        rows = choose(collection, data)
    else:
        rows = [row for row, sample in enumerate(collection.samples) if sample.id in ids]
    return ImageSet(collection, rows, geometry_of(model))


def n_images(data: DataSpec, base: Path) -> int:
    """Return how many images `load_data` returns, without opening any; of `only_correct` the most there may be.

    Raises
    ------
    DataError
        As `load_data` does.
    """
    if data.kind == "demo":
        return data.n or DEMO_IMAGES
    return len(choose(collect(data, ModelSpec(spec="none"), base), data))


def count_all(data: DataSpec, model: ModelSpec, base: Path) -> int:
    """Return how many images the data hold of which `data.n` takes some, without opening any.

    Raises
    ------
    DataError
        As `load_data` does.
    """
    return DEMO_IMAGES if data.kind == "demo" else len(collect(data, model, base).samples)


def collect(data: DataSpec, model: ModelSpec, base: Path) -> Collection:
    """Return all images of a spec that are no demo's, none of which is read yet.

    Raises
    ------
    DataError
        If anything is missing.
    """
    order = read_class_order(base / model.classes) if model.classes else None
    kind = "labelled folder" if data.kind == "folder" and data.labels is not None else data.kind
    module, function = COLLECTORS[kind].split(":")
    collector: Callable[[Request], Collection] = getattr(import_module(module), function)
    return collector(Request(data, base / data.path, base, order, model.channels or COLOURS))


def _refuse_demo_keys(data: DataSpec, model: ModelSpec) -> None:
    if data.path not in {SHAPES, GRIDS}:
        raise DataError(f"data.path = {data.path!r}: {closest(data.path, [SHAPES, GRIDS])}")
    if data.path == GRIDS and model.spec == "demo:vgg":
        raise DataError(
            f"data.path = {GRIDS!r}: model.spec = 'demo:vgg' reads {shapes.SIZE}x{shapes.SIZE} alone, "
            "grids are twice as large; set model.spec = 'demo:resnet'"
        )
    of_model = {key: getattr(model, key) for key in ("resize", "crop", "channels", "classes")}
    of_data = {key: getattr(data, key) for key in ("split", "labels", "masks", "layout", "range", "seed")}
    given = {f"model.{key}": value for key, value in of_model.items()}
    given |= {f"data.{key}": value for key, value in of_data.items()}
    given["data.only_correct"] = True if data.only_correct else None
    given["data.sample"] = None if data.sample == "balanced" else data.sample
    for key, value in given.items():
        if value is not None:
            raise DataError(f"{key} = {value!r}: the demo images have their own; remove the key")
