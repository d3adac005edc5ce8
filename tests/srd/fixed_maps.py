"""Maps and masks that are the same for every version of every library: whole numbers and divisions alone make them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE = 64
Pair = tuple[NDArray[np.float32], NDArray[np.float32]]


def _noise(seed: int) -> NDArray[np.float64]:
    """Numbers in [-1/2, 1/2) without order."""
    places = np.arange(1, SIDE * SIDE + 1, dtype=np.int64)
    return ((places * places * (7919 + seed) + 104729 * places) % 10007).reshape(SIDE, SIDE) / 10007 - 0.5


def _bump(row: int, column: int) -> NDArray[np.float64]:
    rows, columns = np.indices((SIDE, SIDE))
    return np.asarray(1 / (1 + ((rows - row) ** 2 + (columns - column) ** 2) / 64))


def _pair() -> tuple[NDArray[Any], NDArray[Any]]:
    return _bump(22, 30) + 0.4 * _noise(1), _bump(26, 33) - 0.3 * _bump(50, 10) + 0.5 * _noise(2)


def _tied(values: NDArray[Any]) -> NDArray[Any]:
    return np.maximum(np.round(8 * values), 0)


SIGNED, TIED = "signed", "tied, not negative"
PAIRS: Mapping[str, Pair] = {
    SIGNED: (_pair()[0].astype(np.float32), _pair()[1].astype(np.float32)),
    TIED: (_tied(_pair()[0]).astype(np.float32), _tied(_pair()[1]).astype(np.float32)),
}
"""The clean and the other map, by kind."""
MASK: NDArray[np.bool_] = _bump(24, 34) > 0.4
