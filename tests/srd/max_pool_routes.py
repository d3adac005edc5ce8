"""Which element of each window a max pooling takes: what a pass has chosen, and passes that are told what to choose."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn import functional

from srd.functions import MaxPool, Windows

ORIGINAL = MaxPool.forward


@dataclass(frozen=True)
class Routes:
    """The inputs of one max pooling, and the place in each plane of the value that each window took."""

    inputs: Tensor
    places: Tensor

    def of(self, row: int) -> "Routes":
        """Return the routes of one row of the batch."""
        return Routes(self.inputs[row : row + 1], self.places[row : row + 1])

    def largest_difference(self, others: "Routes") -> float:
        """Return the largest difference between the values of these routes and those of `others` for the same inputs.

        It is in units of the largest input.
        """
        taken, otherwise = self._values(self.places), self._values(others.places)
        return float((taken - otherwise).abs().max() / self.inputs.abs().max())

    def _values(self, places: Tensor) -> Tensor:
        return self.inputs.flatten(2).gather(2, places.flatten(2))


@contextmanager
def seen() -> Iterator[list[Routes]]:
    """The routes of every max pooling in order, as it is run."""
    routes: list[Routes] = []

    def forward(ctx: Any, inputs: Tensor, windows: Windows) -> Tensor:
        routes.append(Routes(inputs.detach(), places_of(inputs, windows)))
        return ORIGINAL(ctx, inputs, windows)

    with patch.object(MaxPool, "forward", staticmethod(forward)):
        yield routes


@contextmanager
def prescribed(routes: Sequence[Routes]) -> Iterator[None]:
    """Relevance takes these routes, whatever the largest of a window is."""
    remaining = iter(routes)

    def forward(ctx: Any, inputs: Tensor, windows: Windows) -> Tensor:
        result = ORIGINAL(ctx, inputs, windows)
        ctx.save_for_backward(next(remaining).places)
        return result

    with patch.object(MaxPool, "forward", staticmethod(forward)):
        yield


@torch.no_grad()
def places_of(inputs: Tensor, windows: Windows) -> Tensor:
    places: Tensor = functional.max_pool2d(inputs, *windows, return_indices=True)[1]
    return places
