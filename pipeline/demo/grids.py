"""Grids of four demo scenes of four classes, for the grid pointing game (Boehle, Fritz, Schiele, CVPR 2021).

The class of one cell is the label, and this cell is the mask: attribution localisation is then the share of the
positive relevance that lies in the cell of the explained class, 0.25 for a map that says nothing. Everything is
regenerated from (seed, index). Scenes keep their size: halved, they are no longer told apart by the demo's networks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32

from pipeline.demo.shapes import CLASSES, SIZE, Scene, scene

SIDE = 2
"""The number of cells along a side."""
CELLS = SIDE**2
STREAM = 1  # keeps the draws of a grid apart from those of scenes

GridPicture = Float32[np.ndarray, "3 96 96"]
GridMask = Bool[np.ndarray, "96 96"]


@dataclass(frozen=True, eq=False, slots=True)
class Grid:
    """A picture (3, 96, 96) of four scenes, row by row, the classes of its cells, and the cell that is asked about."""

    image: GridPicture
    classes: tuple[int, ...]
    cell: int

    @property
    def label(self) -> int:
        """Return the class of the cell that is asked about."""
        return self.classes[self.cell]

    @property
    def mask(self) -> GridMask:
        """Return the mask of the cell that is asked about, a quarter of the picture."""
        cells = np.arange(CELLS).reshape(SIDE, SIDE) == self.cell
        return np.kron(cells, np.ones((SIZE, SIZE), bool))


def grid(seed: int, index: int) -> Grid:
    """Return grid `index` of the data set `seed`; its label is `index` modulo the number of classes.

    No scene of the seed stands in two grids.
    """
    classes, cell = _classes(seed, index)
    scenes = [scene(seed, (CELLS * index + place) * len(CLASSES) + each) for place, each in enumerate(classes)]
    return Grid(_tile(scenes), classes, cell)


def _classes(seed: int, index: int) -> tuple[tuple[int, ...], int]:
    """Return the classes of the cells, all different, and the cell of the label; both are drawn."""
    random = np.random.default_rng([seed, index, STREAM])
    label, cell = index % len(CLASSES), int(random.integers(CELLS))
    others = random.permutation([each for each in range(len(CLASSES)) if each != label])[: CELLS - 1].tolist()
    return (*others[:cell], label, *others[cell:]), cell


def _tile(scenes: Sequence[Scene]) -> GridPicture:
    rows = [np.concatenate([each.image for each in scenes[first : first + SIDE]], axis=2) for first in (0, SIDE)]
    return np.concatenate(rows, axis=1)
