"""Effect of the other rows of a batch on a map: the whole effect, and the rest along the same max-pooling routes."""

from dataclasses import dataclass
from itertools import starmap

from max_pool_routes import Routes, prescribed, seen
from torch import Tensor, nn
from toys import relative_error

from srd.decomposition import account


@dataclass(frozen=True)
class Coupling:
    """Differences between the maps of rows alone and in their batch, in units of the largest value of a map."""

    as_it_is: float
    same_routes: float
    """Where windows of max pooling take in a row alone what they take in the batch."""
    ties: float
    """Largest difference of two inputs of a window of which one is taken alone, the other in the batch, in units of the
    largest input."""


def coupling(network: nn.Module, inputs: Tensor, target: Tensor) -> Coupling:
    """The worst of all rows."""
    with seen() as routes:
        together = account(network, inputs, target, contrast="none").maps
    worst = (of_row(network, inputs, target, together, routes, row) for row in range(len(inputs)))
    return Coupling(*map(max, zip(*worst, strict=True)))


def of_row(
    network: nn.Module, inputs: Tensor, target: Tensor, together: Tensor, routes: list[Routes], row: int
) -> tuple[float, float, float]:
    x, c = inputs[row : row + 1], target[row : row + 1]
    in_batch = [each.of(row) for each in routes]
    with seen() as own:
        alone = account(network, x, c, contrast="none").maps
    ties = max(starmap(Routes.largest_difference, zip(own, in_batch, strict=True)), default=0.0)
    difference = relative_error(alone[0], together[row])
    if not ties:
        return difference, difference, ties
    with prescribed(in_batch):
        rerouted = account(network, x, c, contrast="none").maps
    return difference, relative_error(rerouted[0], together[row]), ties
