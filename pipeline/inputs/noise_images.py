"""Images of smooth noise, for a network that is looked at without any data."""

from collections.abc import Sequence
from hashlib import sha256

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from pipeline.machine import seeds
from pipeline.machine.phases import Tell, tell_nobody

IMAGES = 4
COARSE = 8
"""The sides of the coarse noise that is made smooth, in pixels: each pixel by itself is nothing that networks know."""


class NoiseImages:
    """A few images of noise, of the size that a network reads; of its classes only the number is known."""

    def __init__(self, shape: tuple[int, int, int], n_classes: int) -> None:
        self._shape = shape
        self.ids = tuple(f"noise {number}" for number in range(1, IMAGES + 1))
        self.labels = (0,) * IMAGES
        self.classes = tuple(f"output {number}" for number in range(n_classes))
        self.has_masks = False
        self.notes: tuple[str, ...] = ()
        self.digest = sha256(repr((shape, n_classes)).encode()).hexdigest()
        self.description = f"{IMAGES} images of noise"

    def check(self, tell: Tell = tell_nobody) -> None:
        """Do nothing: noise can always be read."""

    def images(self, rows: Sequence[int]) -> Tensor:
        return torch.cat([self._draw(row) for row in rows])

    def masks(self, rows: Sequence[int]) -> Tensor:
        return torch.zeros(len(rows), *self._shape[1:], dtype=torch.bool)

    def ignored_pixels(self, rows: Sequence[int]) -> Tensor:
        return torch.ones(len(rows), *self._shape[1:], dtype=torch.bool)

    def _draw(self, row: int) -> Tensor:
        coarse = torch.rand(1, self._shape[0], COARSE, COARSE, generator=seeds.generator(0, self.ids[row]))
        return interpolate(coarse, self._shape[1:], mode="bilinear")
