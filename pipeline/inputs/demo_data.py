"""The images of the demo, which are drawn."""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from pipeline.demo import grids, shapes
from pipeline.machine.phases import Tell, tell_nobody


class _Procedural:
    """The first pictures of a procedural data set, of which none can be missing."""

    def __init__(self, kind: str, n: int, seed: int, sources: Sequence[ModuleType], description: str) -> None:
        self._seed = seed
        self.ids = tuple(f"{kind}-{seed}-{index:06d}" for index in range(n))
        self.labels = tuple(index % len(shapes.CLASSES) for index in range(n))
        self.classes = shapes.CLASSES
        self.has_masks = True
        self.notes: tuple[str, ...] = ()
        source = b"".join(Path(str(module.__file__)).read_bytes() for module in sources)
        self.digest = sha256(source + f"{seed}:{n}".encode()).hexdigest()
        self.description = description

    def check(self, tell: Tell = tell_nobody) -> None: ...

    def masks(self, rows: Sequence[int]) -> Tensor:
        raise NotImplementedError

    def ignored_pixels(self, rows: Sequence[int]) -> Tensor:
        return torch.zeros_like(self.masks(rows))


class Shapes(_Procedural):
    """The first scenes of the demo's data set."""

    def __init__(self, n: int, seed: int = shapes.TEST_SEED) -> None:
        description = f"procedural shapes, seed {seed}, {shapes.SIZE}x{shapes.SIZE}"
        super().__init__("shapes", n, seed, (shapes,), description)

    def images(self, rows: Sequence[int]) -> Tensor:
        return torch.from_numpy(np.stack([_scene(self._seed, row).image for row in rows]))

    def masks(self, rows: Sequence[int]) -> Tensor:
        return torch.from_numpy(np.stack([_scene(self._seed, row).full for row in rows]))


@lru_cache(maxsize=256)
def _scene(seed: int, index: int) -> shapes.Scene:
    return shapes.scene(seed, index)


class Grids(_Procedural):
    """The first grids of demo scenes, in which the mask is the cell of the label."""

    def __init__(self, n: int, seed: int = shapes.TEST_SEED) -> None:
        side = shapes.SIZE * grids.SIDE
        description = f"grids of four procedural shapes, seed {seed}, {side}x{side}; masks: the cell of the label"
        super().__init__("grids", n, seed, (shapes, grids), description)

    def images(self, rows: Sequence[int]) -> Tensor:
        return torch.from_numpy(np.stack([_grid(self._seed, row).image for row in rows]))

    def masks(self, rows: Sequence[int]) -> Tensor:
        return torch.from_numpy(np.stack([_grid(self._seed, row).mask for row in rows]))


@lru_cache(maxsize=256)
def _grid(seed: int, index: int) -> grids.Grid:
    return grids.grid(seed, index)
