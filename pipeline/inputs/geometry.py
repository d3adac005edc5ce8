"""The way of an image to the size that the network reads: resized, then cut, as torchvision's transforms do it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.inputs.image_files import MOST_PIXELS
from pipeline.spec.model import ModelSpec
from pipeline.spec.values import ExactSize
from srd.errors import DataError

Size = tuple[int, int]
"""(height, width)"""


@dataclass(frozen=True)
class Geometry:
    """The steps that an image takes, and by nearest neighbour its mask."""

    resize: int | ExactSize | None
    """The length of the shorter side, or the size that an image is stretched to."""
    crop: Size | None
    """The size of the central rectangle that is cut out; None keeps the whole image."""
    interpolation: str

    def apply(self, place: str, pixels: NDArray[Any]) -> NDArray[Any]:
        """Return the pixels (h, w, c) of an image, resized and cut; floats stay in [0, 1].

        Raises
        ------
        DataError
            If the resized image has too many pixels, or fewer rows or columns than are cut out.
        """
        return self._apply(place, pixels, Image.Resampling[self.interpolation.upper()])

    def apply_to_mask(self, place: str, parts: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a mask (h, w), resized by nearest neighbour and cut like its image."""
        cut: NDArray[np.uint8] = self._apply(place, parts[..., None], Image.Resampling.NEAREST)[..., 0]
        return cut

    def _apply(self, place: str, pixels: NDArray[Any], resampling: Image.Resampling) -> NDArray[Any]:
        height, width = self._size_after_resize(place, *pixels.shape[:2])
        if (height, width) != pixels.shape[:2]:
            pixels = _resize(pixels, (height, width), resampling)
        return pixels if self.crop is None else self._cut(place, pixels, self.crop)

    def _size_after_resize(self, place: str, height: int, width: int) -> Size:
        """Return the size after `resize`. The longer side is rounded down, as torchvision does it."""
        if self.resize is None:
            return height, width
        if isinstance(self.resize, ExactSize):
            return self.resize.height, self.resize.width
        shorter, longer = sorted((height, width))
        longer = int(self.resize * longer / shorter)
        if self.resize * longer > MOST_PIXELS:
            larger = f"{self.resize}x{longer}" if width <= height else f"{longer}x{self.resize}"
            raise DataError(
                f"{place}: is {width}x{height}, resized by model.resize = {self.resize} {larger}, "
                f"more than {MOST_PIXELS} pixels; cut or remove it, or lower model.resize"
            )
        return (longer, self.resize) if width <= height else (self.resize, longer)

    def _cut(self, place: str, pixels: NDArray[Any], crop: Size) -> NDArray[Any]:
        (height, width), (rows, columns) = pixels.shape[:2], crop
        if rows > height or columns > width:
            raise DataError(
                f"{place}: is {width}x{height} when {columns}x{rows} are cut out by model.crop; "
                "lower model.crop, or set model.resize"
            )
        top, left = round((height - rows) / 2), round((width - columns) / 2)
        return pixels[top : top + rows, left : left + columns]


def geometry_of(model: ModelSpec) -> Geometry:
    """Return the geometry that a spec asks for: of `resize` alone the central square is cut out."""
    resize, crop = model.resize, model.crop
    if isinstance(resize, tuple):
        resize, crop = resize
    elif isinstance(resize, int) and crop is None:
        crop = resize
    size = None if crop is None or crop == "none" else (crop, crop) if isinstance(crop, int) else crop
    return Geometry(resize, size, model.interpolation or "bilinear")


def _resize(pixels: NDArray[Any], size: Size, resampling: Image.Resampling) -> NDArray[Any]:
    """Return pixels (h, w, c) of another size, each channel by itself.

    To resize only what is cut out would be cheaper, but Pillow rounds such a box to single precision: pixels change.
    """
    height, width = size
    if pixels.dtype == np.uint8 and pixels.shape[2] == 3:
        return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).resize((width, height), resampling))
    channels = [np.ascontiguousarray(pixels[..., channel]) for channel in range(pixels.shape[2])]
    resized = [np.asarray(Image.fromarray(each).resize((width, height), resampling)) for each in channels]
    return np.stack(resized, -1) if pixels.dtype == np.uint8 else np.stack(resized, -1).clip(0, 1)
