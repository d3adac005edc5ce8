"""Images and maps as PNG files, for galleries."""

from collections.abc import Mapping
from io import BytesIO

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.float32]
Mask = NDArray[np.bool_]
Colours = NDArray[np.uint8]
"""A panel as it is drawn: (height, width, 3)."""

QUANTILE = 0.99
USUAL_RULE = "99th percentile of |clean map|"
MAGNIFIED = 10  # factor for the change between two images
SMALLEST = 144  # pixels; smaller panels are enlarged by repeating pixels
SIDES = (224, 160, 112, 80)
BUDGET = 3_000_000  # bytes of all panels together, out of 5 MB for a report
BYTES_PER_PIXEL = 2  # of PNG: between 3 of a noisy photograph and 1.5 of a map
N_COLOURS = 255
OUTLINE = N_COLOURS  # the palette's last entry
OUTLINE_COLOUR = (0, 0, 0)
PHOTO_OUTLINE = (255, 214, 10)
MAP_COLOURS = "RdBu_r"


def panel_side(native: int, panels: int) -> int:
    """Return the largest side of a panel, in pixels, with which all panels fit the budget."""
    fitting = (each for each in SIDES if each**2 * panels * BYTES_PER_PIXEL <= BUDGET)
    return min(native, next(fitting, SIDES[-1]))


def colour_limit(clean: Pixels, *others: Pixels) -> tuple[float, str]:
    """Return the value at which the colours of a row end, and the rule that gave it."""
    for value, rule in (
        (np.quantile(np.abs(clean), QUANTILE), USUAL_RULE),
        (np.abs(clean).max(), "largest |value| of the clean map, whose 99th percentile is 0"),
        (max((np.abs(each).max() for each in others), default=0), "largest |value|, the clean map being 0"),
    ):
        if value > 0:
            return float(value), rule
    return 1.0, "all maps are 0"


def clipped_share(pixels: Pixels, end: float) -> float:
    """Return the share of the pixels whose |value| lies beyond the end of the colours."""
    return float((np.abs(pixels) > end).mean())


def photo(image: Pixels, longest: int, mask: Mask | None = None) -> bytes:
    """Draw an image (c, h, w) in [0, 1] as PNG, with the outline of a mask if given."""
    return _png(Image.fromarray(photo_panel(image, longest, mask)))


def photo_panel(image: Pixels, longest: int, mask: Mask | None = None) -> Colours:
    """Draw an image (c, h, w) in [0, 1], with the outline of a mask if given."""
    colours = as_colours(image)
    drawn = np.stack([_resize(channel, longest) for channel in colours], -1)
    pixels = (drawn.clip(0, 1) * 255).round().astype(np.uint8)
    if mask is not None:
        pixels[_outline(mask, drawn.shape[:2])] = PHOTO_OUTLINE
    return pixels


def as_colours(image: Pixels) -> Pixels:
    """Return an image of any number of channels with three: its first three, or the first in grey if it has fewer."""
    return image[:3] if len(image) >= 3 else np.broadcast_to(image[:1], (3, *image.shape[1:]))


def change_panel(clean: Pixels, perturbed: Pixels, longest: int) -> Colours:
    """Draw ten times the change between two images. Pixels without change are grey."""
    return photo_panel((0.5 + MAGNIFIED * (perturbed - clean)).astype(np.float32), longest)


def heat_map(pixels: Pixels, end: float, longest: int) -> bytes:
    """Draw a map as PNG, in the colours of `map_panel`."""
    image = Image.fromarray(_colour_numbers(pixels, end, longest))
    image.putpalette(map_colours().flatten().tolist())
    return _png(image)


def map_panel(pixels: Pixels, end: float, longest: int, mask: Mask | None = None) -> Colours:
    """Draw a map in red (positive), white (0) and blue (negative). The colours end at -end and +end."""
    numbers = _colour_numbers(pixels, end, longest)
    if mask is not None:
        numbers[_outline(mask, numbers.shape)] = OUTLINE
    return np.vstack([map_colours(), np.array([OUTLINE_COLOUR], np.uint8)])[numbers]


def draw_sheet(panels: Mapping[int, Colours], columns: int) -> bytes:
    """Return one PNG of panels of equal size, each at its place: row by row, from the left. Empty places are white."""
    height, width = next(iter(panels.values())).shape[:2]
    rows = 1 + max(panels) // columns
    pixels = np.full((rows * height, columns * width, 3), 255, np.uint8)
    for place, panel in panels.items():
        top, left = place // columns * height, place % columns * width
        pixels[top : top + height, left : left + width] = panel
    return _png(Image.fromarray(pixels))


def panel_size(height: int, width: int, longest: int) -> tuple[int, int]:
    """Return height and width of the panel of an image, in pixels."""
    if max(height, width) > longest:
        return reduced_shape((height, width), longest)
    times = max(1, SMALLEST // max(height, width))
    return height * times, width * times


def _colour_numbers(pixels: Pixels, end: float, longest: int) -> Colours:
    drawn = _resize(pixels, longest)
    return ((drawn / end).clip(-1, 1) * (N_COLOURS // 2) + N_COLOURS // 2).round().astype(np.uint8)


def map_colours() -> NDArray[np.uint8]:
    """Return the colours of maps (N_COLOURS, 3), from that of -v over white, which is 0, to that of +v."""
    colours = matplotlib.colormaps[MAP_COLOURS](np.linspace(0, 1, N_COLOURS))[:, :3]
    return np.asarray((colours * 255).round(), np.uint8)


def reduced_shape(shape: tuple[int, int], longest: int) -> tuple[int, int]:
    """Return the shape of an image whose longer side is at most `longest`."""
    factor = min(1.0, longest / max(shape))
    height, width = (max(1, round(side * factor)) for side in shape)
    return height, width


def reduce_by_area(pixels: Pixels, longest: int) -> Pixels:
    """Return an image (h, w) by area means, its longer side at most `longest`; as it is, if it is no larger."""
    height, width = reduced_shape(pixels.shape, longest)
    if (height, width) == pixels.shape:
        return pixels
    drawn = Image.fromarray(pixels.astype(np.float32)).resize((width, height), Image.Resampling.BOX)
    return np.asarray(drawn, np.float32)


def _resize(pixels: Pixels, longest: int) -> Pixels:
    """Reduce an image by area means if it is too large, or repeat its pixels if it is too small to see."""
    if max(pixels.shape) > longest:
        return reduce_by_area(pixels, longest)
    times = max(1, SMALLEST // max(pixels.shape))
    return pixels.repeat(times, 0).repeat(times, 1)


def _outline(mask: Mask, shape: tuple[int, ...]) -> Mask:
    """Return the pixels just outside of a mask, at the size of the drawing. The outline covers no pixel inside."""
    rows = np.arange(shape[0]) * mask.shape[0] // shape[0]
    columns = np.arange(shape[1]) * mask.shape[1] // shape[1]
    padded = np.pad(mask[np.ix_(rows, columns)], 1)
    near = padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
    return near & ~padded[1:-1, 1:-1]


def _png(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
