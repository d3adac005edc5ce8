"""Images, labels and masks that are arrays."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.inputs.array_files import NAMES, WAY_OUT, Arrays, Rows, array_of, find_array, open_arrays
from pipeline.inputs.class_order import order_of_labels
from pipeline.inputs.collection import IGNORED, OBJECT, OTHER, Collection, Parts, Picture, Request, Sample
from pipeline.inputs.image_files import MOST_PIXELS
from pipeline.machine.files import refuse_what_a_parser_raises
from pipeline.spec.data import DataSpec
from srd.errors import DataError

MOST_IMAGES, MOST_CHANNELS = 2_000_000, 4096
COLOURS = (1, 3, 4)
"""The lengths of an axis that is taken for the channels' where nobody says which it is."""
LAYOUTS: Mapping[str, tuple[int, int, int]] = MappingProxyType({"nhwc": (0, 1, 2), "nchw": (1, 2, 0)})
"""The axes of an image that are height, width and channels."""
Range = tuple[float, float]


@dataclass(frozen=True)
class ArrayImage:
    """One row of an array of images."""

    place: str
    array: Rows
    row: int
    axes: tuple[int, int, int]
    range: Range | None
    """The values that are black and white; None of bytes."""

    def read(self) -> Picture:
        values = _row(self.array, self.row, self.place)
        pixels = values[..., None] if values.ndim == 2 else values.transpose(self.axes)
        return Picture(pixels if self.range is None else self._stretch(pixels, *self.range))

    def content(self) -> bytes:
        values = _row(self.array, self.row, self.place)
        return repr((values.dtype.str, values.shape, self.axes, self.range)).encode() + values.tobytes()

    def _stretch(self, pixels: NDArray[Any], black: float, white: float) -> NDArray[np.float32]:
        least, most = float(pixels.min()), float(pixels.max())
        if not black <= least <= most <= white:
            raise DataError(
                f"{self.place}: has values from {least:g} to {most:g}, which are not within [{black:g}, {white:g}]; "
                "set data.range to the values that are black and white"
            )
        return ((pixels.astype(np.float64) - black) / (white - black)).astype(np.float32)


@dataclass(frozen=True)
class ArrayMask:
    """One row of an array of masks, of which all that is not 0 is the object, and of one of pixels to ignore."""

    place: str
    masks: Rows
    ignored: Rows | None
    row: int

    def read(self) -> Parts:
        parts = np.where(self._plane(self.masks) != 0, np.uint8(OBJECT), np.uint8(OTHER))
        if self.ignored is not None:
            parts[self._plane(self.ignored) != 0] = IGNORED
        return parts

    def content(self) -> bytes:
        return self.read().tobytes()

    def _plane(self, array: Rows) -> NDArray[Any]:
        values = _row(array, self.row, self.place)
        return values if values.ndim == 2 else values.squeeze(values.shape.index(1))


def collect_arrays(request: Request) -> Collection:
    """Return the images of an array, labelled by another; images are called by their rows.

    Raises
    ------
    DataError
        If arrays are missing, or do not fit each other.
    """
    place = f"data.path = {request.root}"
    arrays = open_arrays(request.root, place)
    images = array_of(arrays, "images", request.data.split, place)
    found = {key: _beside(request, arrays, key) for key in ("labels", "masks", "ignored")}
    _refuse_misfits(images, found, place)
    axes, values = _axes(images, request.data, place), _range(images, request.data, place)
    texts = _texts(found["labels"], place)
    order = request.order or order_of_labels(texts, str(request.root))
    masks, ignored = found["masks"], found["ignored"]
    samples = [
        Sample(
            f"{row:06d}",
            order.of_label(text, f"{place}: label of row {row}"),
            ArrayImage(f"{request.root}: image {row}", images, row, axes, values),
            None if masks is None else ArrayMask(f"{request.root}: mask {row}", masks, ignored, row),
        )
        for row, text in enumerate(texts)
    ]
    return Collection(samples, order.titles, masks is not None, f"{len(samples):,} rows of {request.root.name}")


def _row(array: Rows, row: int, place: str) -> NDArray[Any]:
    with refuse_what_a_parser_raises(DataError, place, "store the array again"):
        return np.ascontiguousarray(array[row])


def _beside(request: Request, arrays: Arrays, key: str) -> Rows | None:
    """Return the array of labels, masks or ignored pixels: that of another file if the spec names one."""
    named = getattr(request.data, key, None)
    if named is None:
        return find_array(arrays, key, request.data.split)
    place = f"data.{key} = {request.base / named}"
    return array_of(open_arrays(request.base / named, place), key, request.data.split, place)


def _refuse_misfits(images: Rows, others: Mapping[str, Rows | None], place: str) -> None:
    """Refuse arrays of other lengths than that of the images, and masks that are no planes."""
    n = images.shape[0] if images.shape else 0
    if not 0 < n <= MOST_IMAGES:
        raise DataError(f"{place}: has {n} images, not 1 to {MOST_IMAGES}; store that many")
    for key, array in others.items():
        if array is None:
            continue
        if array.shape[:1] != (n,):
            raise DataError(f"{place}: has {n} images, but {key} of the shape {array.shape}; store as many rows")
        is_plane = len(array.shape) == 3 or (len(array.shape) == 4 and 1 in array.shape[1:])
        if key != "labels" and not is_plane:
            raise DataError(f"{place}: {key} have the shape {array.shape}; store them as (n, h, w)")
    masks, ignored = others["masks"], others["ignored"]
    if ignored is not None and (masks is None or masks.shape != ignored.shape):
        raise DataError(
            f"{place}: ignored pixels have the shape {ignored.shape}, masks {getattr(masks, 'shape', None)}; "
            "store them of one shape"
        )


def _axes(images: Rows, data: DataSpec, place: str) -> tuple[int, int, int]:
    """Return the axes of a row that are height, width and channels."""
    what, shape = f"{place}: images have the shape {images.shape}", images.shape[1:]
    if len(shape) == 2:
        shape = (*shape, 1)
    elif len(shape) != 3:
        raise DataError(f"{what}; store them as (n, h, w, c), (n, c, h, w) or (n, h, w)")
    likely = [name for name, axes in LAYOUTS.items() if shape[axes[2]] in COLOURS]
    layout = "nhwc" if len(images.shape) == 3 else data.layout or (likely[0] if len(likely) == 1 else None)
    if layout is None:
        raise DataError(f"{what}, which does not tell the axis of channels; set data.layout to 'nhwc' or 'nchw'")
    height, width, channels = (shape[axis] for axis in LAYOUTS[layout])
    if not (0 < height * width <= MOST_PIXELS and 0 < channels <= MOST_CHANNELS):
        raise DataError(f"{what}, as {layout}; store at most {MOST_PIXELS} pixels of {MOST_CHANNELS} channels")
    return LAYOUTS[layout]


def _range(images: Rows, data: DataSpec, place: str) -> Range | None:
    """Return the values that are black and white; None of bytes from 0 to 255."""
    kind = np.dtype(images.dtype).kind
    if kind not in "biuf":
        raise DataError(f"{place}: images are {images.dtype}; {WAY_OUT}")
    if data.range is not None:
        return data.range[0], data.range[1]
    if images.dtype == np.uint8:
        return None
    if kind in "fb":
        return 0.0, 1.0
    raise DataError(
        f"{place}: images are {images.dtype}, of which nobody says what is white; set data.range, such as [0, 65535]"
    )


def _texts(labels: Rows | None, place: str) -> list[str]:
    if labels is None:
        raise DataError(f"{place}: holds no labels; call an array {NAMES['labels'][0]!r}, or set data.labels")
    values = np.asarray(labels[:])
    if values.size != len(values) or values.dtype.kind not in "iuUT":
        raise DataError(
            f"{place}: labels are {labels.dtype} of the shape {labels.shape}; "
            "store one whole number or name for each image"
        )
    return [str(value) for value in values.ravel().tolist()]
