"""Pictures of the part of an image that one feature vector sees, and of its place in the image."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from reports.pixels import Mask, Pixels, photo

MASS = 0.9
CORE = 0.5
SIDE = 144  # pixels
THUMBNAIL = 96
BLUR = 24  # side of a crop / standard deviation of the blur, which is at least a pixel
BRIGHT = 0.9  # quantile of the field within a crop, from which the image is shown as it is
GROUND = 0.94  # grey into which the image fades elsewhere
FAINTEST = 0.2  # least opacity of the image
Box = tuple[int, int, int, int]
"""Top, bottom, left, right. Bottom and right are the first pixels outside."""


def bounding_box(field: Pixels) -> Box:
    """Return the box that holds at least MASS of the mass of a field, the sum of |share|.

    At most (1 - MASS) / 4 of the mass is cut off on each side. A field without mass gives the whole image.
    """
    mass = np.abs(field).astype(np.float64)
    if not mass.any():
        return 0, field.shape[0], 0, field.shape[1]
    return *_trim(mass.sum(1)), *_trim(mass.sum(0))


def square_around(box: Box, shape: tuple[int, ...]) -> Box:
    """Return the smallest square around a box within an image of `shape`. It is cut if the image is too narrow."""
    side = max(box[1] - box[0], box[3] - box[2])
    return *_widen(box[0], box[1], side, shape[0]), *_widen(box[2], box[3], side, shape[1])


def share_inside(field: Pixels, box: Box) -> float:
    """Return the share of the mass that lies in a box. It is 0 for a field without mass."""
    mass = np.abs(field).astype(np.float64)
    return float(mass[_slices(box)].sum() / mass.sum()) if mass.any() else 0.0


def crop(image: Pixels, field: Pixels, box: Box) -> bytes:
    """Draw a box of an image (c, h, w) as PNG. It fades where the field is weak. A line surrounds its CORE."""
    where = _slices(box)
    sigma = max(1.0, (box[1] - box[0]) / BLUR, (box[3] - box[2]) / BLUR)
    smooth = gaussian_filter(np.abs(field).astype(np.float64), sigma)
    inside = smooth[where]
    opacity = (inside / (np.quantile(inside, BRIGHT) or 1.0)).clip(FAINTEST, 1)
    faded = opacity * image[(..., *where)] + (1 - opacity) * GROUND
    return photo(faded.astype(np.float32), SIDE, strongest_pixels(smooth, CORE)[where])


def surroundings(image: Pixels, box: Box) -> bytes:
    """Draw the whole image as PNG, with the outline of the box."""
    mask = np.zeros(image.shape[1:], bool)
    mask[_slices(box)] = True
    return photo(image, THUMBNAIL, mask)


def strongest_pixels(field: NDArray[np.float64], share: float) -> Mask:
    """Return the fewest pixels of a field >= 0 that hold at least `share` of its mass."""
    values = np.sort(field, axis=None)[::-1]
    mass = values.cumsum()
    mask: Mask = field >= values[np.searchsorted(mass, share * mass[-1])]
    return mask


def _trim(profile: NDArray[np.float64]) -> tuple[int, int]:
    mass, cut = profile.cumsum() / profile.sum(), (1 - MASS) / 4
    return int(np.searchsorted(mass, cut, "right")), int(np.searchsorted(mass, 1 - cut)) + 1


def _widen(first: int, last: int, side: int, length: int) -> tuple[int, int]:
    side = min(side, length)
    start = min(max(0, (first + last - side) // 2), length - side)
    return start, start + side


def _slices(box: Box) -> tuple[slice, slice]:
    return slice(*box[:2]), slice(*box[2:])
