"""The rows that pass the network at once, where graphs are kept: as many as a budget of memory holds.

Float32 sums in another order in another batch, so the cut is part of the result. It follows from the network, the size
of the images and the type of device alone, all of which are fingerprinted: not from the memory of a machine.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from srd.passes import evaluating, leaf, logits_of
from srd.types import Inputs

BUDGET: Mapping[str, int] = MappingProxyType({"cpu": 2**30, "cuda": 16 * 2**30})
"""The bytes of the graph of a gradient, by the type of device. What passes besides is about as much again."""
ATTACKED = 10
"""Rows of a gradient that keep as much as one row of a map that is itself differentiated, at times in float64."""


def rows_at_once(network: nn.Module, inputs: Inputs) -> int:
    """Return how many rows of the size of `inputs` the budget holds, at least one; it is the same for all images."""
    size = _size_of_a_row(network, inputs.shape[1:], inputs.dtype, inputs.device)
    return max(1, BUDGET[inputs.device.type] // max(1, size))


@lru_cache(maxsize=1)
def _size_of_a_row(network: nn.Module, shape: torch.Size, dtype: torch.dtype, device: torch.device) -> int:
    return graph_size(network, torch.zeros(1, *shape, dtype=dtype, device=device))


def graph_size(network: nn.Module, inputs: Inputs) -> int:
    """Return the bytes of activations that a network keeps for the gradient by these inputs."""
    sizes: dict[int, int] = {}

    def note(kept: Tensor) -> Tensor:
        storage = kept.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        return kept

    with evaluating(network), saved_tensors_hooks(note, lambda kept: kept):
        logits = logits_of(network, leaf(inputs, create_graph=False))  # alive, so that no two storages share a place
    own = {tensor.untyped_storage().data_ptr() for tensor in (*network.parameters(), *network.buffers(), logits)}
    return sum(size for place, size in sizes.items() if place not in own)


def parts(n: int, at_once: int) -> Iterator[slice]:
    """Return slices of n rows, `at_once` rows at most in each, as equal as they can be."""
    count = -(-n // at_once)
    ends = [n * part // count for part in range(count + 1)]
    return (slice(start, end) for start, end in pairwise(ends))
