"""How much the viewer holds: the side of its images, how many there are, and what goes into one shard."""

from dataclasses import dataclass

from reports.pixels import reduced_shape

BUDGET = 32_000_000
"""Bytes of all shards together."""
SHARD = 1_000_000
"""Bytes of one shard at most."""
LARGEST = 128
"""The longest side, in pixels, at which images and maps are shown as they are."""
SIDES = (112, 80, 56)
"""The longest sides to which larger ones are reduced."""
ENOUGH = 12
"""Images that are worth a smaller side."""
PHOTO, MAP = 4.0, 8 / 3
"""Bytes per pixel, in base64, of a photo of three bytes and of a map of two."""
FACTS = 400
"""Bytes of what stands beside the pixels of an entry: limit, scale, reason, brackets."""


@dataclass(frozen=True)
class Size:
    """The size of the viewer. An entry is a photo or a map; those of an image are in shards of `entries` each."""

    longest: int
    """Side to which images and maps are reduced, in pixels."""
    images: int
    """Number of images that it holds."""
    entries: int
    """Number of entries of a shard."""


def viewer_size(shape: tuple[int, int], images: int, conditions: int, methods: int) -> Size:
    """Return the size within the budget: of the longest side with which all images fit, or ENOUGH, or of the shortest.

    At least one image is held, whatever it takes.
    """
    native = max(shape)
    sides = [*([native] if native <= LARGEST else []), *(side for side in SIDES if side < native)]
    sizes = [_size(reduced_shape(shape, side), images, conditions, methods) for side in sides]
    return next((size for size in sizes if size.images >= min(images, ENOUGH)), sizes[-1])


def _size(shape: tuple[int, int], images: int, conditions: int, methods: int) -> Size:
    pixels = shape[0] * shape[1]
    image = conditions * (PHOTO * pixels + methods * MAP * pixels + (1 + methods) * FACTS)
    fitting = max(1, int(BUDGET / image))
    return Size(max(shape), min(images, fitting), max(1, int(SHARD / (PHOTO * pixels + FACTS))))
