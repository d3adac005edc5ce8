"""One map, drawn in the colours of the report: for a notebook, or for a figure of your own."""

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from reports.pixels import MAP_COLOURS, colour_limit

UNDEFINED = "0.5"
"""The grey of pixels that are not finite."""
LUMA = (0.299, 0.587, 0.114)
"""The weights of red, green and blue in grey (ITU-R BT.601)."""

Values = NDArray[np.float64]


def show(map: ArrayLike, image: ArrayLike | None = None, ax: Axes | None = None) -> Axes:
    """Draw a map (h, w) in red (positive), white (0) and blue (negative), and return the axes.

    As in the report, the colours end at +- the 99th percentile of |map|. The map is the last of `ax.images`, of which
    matplotlib makes a colour bar. A tensor needs to be detached and on the CPU.

    Parameters
    ----------
    image
        (c, h, w) in [0, 1], drawn in grey below the map, which covers it as far as |map| is large.
    ax
        The axes; by default those of a new figure of pyplot.

    Raises
    ------
    ValueError
        If the map has not two dimensions, or the image not the height and width of the map.
    """
    pixels = np.asarray(map, np.float64)
    if pixels.ndim != 2:
        raise ValueError(f"map has the shape {pixels.shape}, not (height, width); choose one map")
    known = np.isfinite(pixels)
    end = colour_limit(np.where(known, pixels, 0).astype(np.float32))[0]
    below = None if image is None else _grey(image, pixels.shape)
    axes = _new_axes() if ax is None else ax
    if below is not None:
        axes.imshow(below, cmap="gray", vmin=0, vmax=1)
    cover = None if below is None else np.where(known, np.minimum(np.abs(pixels) / end, 1), 1)
    colours = matplotlib.colormaps[MAP_COLOURS].with_extremes(bad=UNDEFINED)
    axes.imshow(np.ma.masked_invalid(pixels), cmap=colours, vmin=-end, vmax=end, alpha=cover)
    axes.set_axis_off()
    return axes


def _grey(image: ArrayLike, shape: tuple[int, ...]) -> Values:
    """Return the luma of an image, of one channel or three."""
    channels = np.asarray(image, np.float64)
    if channels.ndim != 3 or channels.shape[1:] != shape or len(channels) not in (1, 3):
        wanted = f"(1 or 3, {shape[0]}, {shape[1]})"
        raise ValueError(f"image has the shape {channels.shape}, not {wanted}, as the map; give the image of the map")
    return np.asarray(channels[0] if len(channels) == 1 else np.tensordot(LUMA, channels, 1))


def _new_axes() -> Axes:
    from matplotlib import pyplot  # it chooses a window system, which a report does not need

    return pyplot.subplots()[1]
