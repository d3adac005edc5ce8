"""Attribution maps as the store holds them: float16 values, and for each map a power of two to multiply them by."""

import numpy as np
from numpy.typing import NDArray


def pack(maps: NDArray[np.float32]) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
    """Return maps (..., h, w) divided by their scales (...), exact except for the rounding of float16.

    The scale of a map is the power of two at or below its largest magnitude; it is 1 for a map that is 0 or not finite.
    """
    largest = np.abs(maps).max((-2, -1))
    exponent = np.where((largest > 0) & np.isfinite(largest), np.frexp(largest)[1] - 1, 0)
    scale = np.ldexp(np.float32(1), exponent)
    with np.errstate(over="ignore", invalid="ignore"):  # of maps that are not finite
        return (maps / scale[..., None, None]).astype(np.float16), scale


def unpack(values: NDArray[np.float16], scale: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the maps that were given to `pack`, as exactly as float16 holds them."""
    maps: NDArray[np.float32] = values.astype(np.float32) * scale[..., None, None]
    return maps
