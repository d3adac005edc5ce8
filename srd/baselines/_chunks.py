"""Batches for methods that read many copies of their inputs."""

from collections.abc import Iterator

from torch import Tensor, nn

from srd.passes import input_gradient
from srd.types import Target


def chunks(total: int, at_once: int) -> Iterator[range]:
    """Return 0 to `total` in order, `at_once` at a time, or one by one where that is less than one."""
    step = max(1, at_once)
    return (range(start, min(start + step, total)) for start in range(0, total, step))


def gradients_at(network: nn.Module, points: Tensor, target: Target, *, create_graph: bool) -> Tensor:
    """Return the gradient of the target's logit at points (k, n, c, h, w), k of each of n rows, in one batch."""
    gradients = input_gradient(network, points.flatten(0, 1), target.repeat(len(points)), create_graph=create_graph)
    by_point: Tensor = gradients.unflatten(0, points.shape[:2])
    return by_point
