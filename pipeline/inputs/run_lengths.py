"""Masks as COCO writes them: run lengths, compressed or not, and polygons.

The order of pixels is by columns. All equal what `pycocotools` makes of the same.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SCALE = 5
"""The points of a polygon's boundary lie on a grid that is so many times finer than the pixels."""
FIRST = 48
"""The character that stands for 0 in compressed run lengths."""


def decompress(text: str) -> list[int]:
    """Return the run lengths of a compressed text.

    Each is written in groups of 5 bits, the lowest first, of which the sixth bit says that another follows and the
    fifth of the last is the sign. From the fourth on, each is the difference from the last but one.

    Raises
    ------
    ValueError
        If the text ends within a number, or holds a character that is none of the 64.
    """
    counts: list[int] = []
    number = shift = 0
    for character in text:
        bits = ord(character) - FIRST
        if not 0 <= bits < 64:
            raise ValueError(f"{character!r} is no character of compressed run lengths")
        number |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        number -= (1 << shift) if bits & 16 else 0
        counts.append(number + counts[-2] if len(counts) > 2 else number)
        number = shift = 0
    if shift:
        raise ValueError("compressed run lengths end within a number")
    return counts


def from_run_lengths(counts: Sequence[int], height: int, width: int) -> NDArray[np.bool_]:
    """Return the mask (height, width) of run lengths, the first of which is outside.

    Raises
    ------
    ValueError
        If they are negative or do not fill the mask.
    """
    if any(type(count) is not int or count < 0 for count in counts) or sum(counts) != height * width:
        raise ValueError(f"run lengths do not fill {width}x{height} pixels")
    inside = np.arange(len(counts)) % 2 == 1
    return np.repeat(inside, counts).reshape(width, height).T


def from_polygon(corners: Sequence[float], height: int, width: int) -> NDArray[np.bool_]:
    """Return the mask (height, width) of a polygon x0, y0, x1, y1, ...

    Where the boundary, drawn on the finer grid, passes the middle of a column of pixels, all below change sides.

    Raises
    ------
    ValueError
        If these are no coordinates of three corners or more.
    """
    points = np.asarray(corners, np.float64)
    if points.ndim != 1 or len(points) < 6 or len(points) % 2 or not np.isfinite(points).all():
        raise ValueError("a polygon needs x and y of three corners or more")
    if np.abs(points).max() > 10 * (height + width):
        raise ValueError(f"a corner lies far outside of {width}x{height} pixels")
    x, y = _boundary(np.trunc(SCALE * points.reshape(-1, 2) + 0.5).astype(np.int64))
    moved = np.flatnonzero(x[1:] != x[:-1])
    column = (np.minimum(x[moved], x[moved + 1]) + 0.5) / SCALE - 0.5
    row = (np.minimum(y[moved], y[moved + 1]) + 0.5) / SCALE - 0.5
    is_middle = (np.floor(column) == column) & (column >= 0) & (column <= width - 1)
    crossed = column[is_middle].astype(np.int64) * height + np.ceil(row[is_middle].clip(0, height)).astype(np.int64)
    changes = np.bincount(crossed, minlength=height * width + 1)[: height * width]
    inside: NDArray[np.bool_] = changes.cumsum() % 2 == 1
    return inside.reshape(width, height).T


def _boundary(corners: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return x and y of the points along all edges, in order; each edge takes a step of 1 along its longer axis."""
    edges = [_edge(*pair) for pair in zip(corners, np.roll(corners, -1, 0), strict=True)]
    points = np.concatenate(edges)
    return points[:, 0], points[:, 1]


def _edge(start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.int64]:
    length = np.abs(end - start)
    axis = 0 if length[0] >= length[1] else 1
    flip = bool(start[axis] > end[axis])
    low, high = (end, start) if flip else (start, end)
    steps = np.arange(length[axis] + 1)
    slope = (high[1 - axis] - low[1 - axis]) / length[axis] if length[axis] else 0.0
    points = np.empty((len(steps), 2), np.int64)
    points[:, axis] = low[axis] + steps
    points[:, 1 - axis] = np.trunc(low[1 - axis] + slope * steps + 0.5)
    return points[::-1] if flip else points
