"""Concepts of a layer: feature vectors drawn in proportion to their relevance and clustered by their direction."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from srd.errors import ModelError
from srd.keywords import takes
from srd.options import NetworkOptions
from srd.passes import evaluating, leaf
from srd.propagation import Propagation
from srd.rules import SharingRatio
from srd.types import Inputs
from srd.vectors import safe_ratio

if TYPE_CHECKING:
    from sklearn.cluster import BisectingKMeans

NO_CLUSTER = -1
"""Label of a vector that is 0 and has no direction."""
ATTEMPTS = 10  # runs of each bisection; the best one is kept
DIGITS = 6  # decimals by which two distinct directions differ


@takes(NetworkOptions)
def feature_vectors(
    options: NetworkOptions, network: nn.Module, inputs: Inputs, layer: str
) -> Float[Tensor, "n *positions c"]:
    """Return the vector at each position of the output of module `layer`, as the next operation reads it.

    For a module that runs more than once, this is its last output.

    Raises
    ------
    ModelError
        The module is unknown, does not run or makes no feature vectors, or its first axis does not hold the images.
    """
    with evaluating(network):
        read = leaf(inputs, create_graph=False)
        run = Propagation(network, read, SharingRatio("norm"), layers=[layer], operations=options.operations)
    after, channels = run.layers[layer].vectors.after.detach(), run.layers[layer].vectors.channels
    if len(after) != len(inputs):
        raise ModelError(f"layer {layer!r}: its first axis does not hold the images; name one before or after it")
    last = after.movedim(channels, tuple(range(-len(channels), 0)))
    return last.reshape(*last.shape[: after.dim() - len(channels)], -1)


def draw_positions(
    relevance: Float[Tensor, "*positions"], count: int, generator: torch.Generator
) -> Int64[Tensor, "count d"]:
    """Draw positions with replacement, each with a probability in proportion to its positive relevance.

    No position is drawn where no relevance is positive. Negative relevance speaks against the class and is not drawn,
    because a concept gets its name from the classes that it serves.
    """
    weights = relevance.clamp(min=0).flatten()
    if not weights.any():
        return torch.empty(0, relevance.dim(), dtype=torch.int64)
    places = torch.multinomial(weights, count, replacement=True, generator=generator)
    return torch.stack(torch.unravel_index(places, relevance.shape), 1)


@dataclass(frozen=True)
class Clusters:
    """Clusters of directions, numbered from 0 by size, the largest first."""

    _tree: "BisectingKMeans"
    _number: Int64[Tensor, " k"]

    def labels(self, vectors: Float[Tensor, "n c"]) -> Int64[Tensor, " n"]:
        """Return the cluster of each vector, and NO_CLUSTER for a vector that is 0."""
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):
            found = self._tree.predict(_directions(vectors).numpy())
        return torch.where(vectors.any(1), self._number[torch.from_numpy(found).long()], NO_CLUSTER)


def cluster_directions(vectors: Float[Tensor, "n c"], count: int, generator: torch.Generator) -> Clusters:
    """Cluster the directions of the vectors by bisecting k-means.

    The vectors are divided by their norm, because one concept may be strong in one image and weak in another. Distances
    between unit vectors depend on the angles alone. One thread is used: sums over several threads depend on their
    order.

    Raises
    ------
    ValueError
        There are fewer distinct directions than clusters.
    """
    from sklearn.cluster import BisectingKMeans
    from threadpoolctl import threadpool_limits

    directions = _directions(vectors)
    distinct = len(directions.round(decimals=DIGITS).unique(dim=0))
    if distinct < count:
        raise ValueError(f"{count} clusters of {distinct} distinct directions")
    seed = int(torch.randint(2**31, (), generator=generator))
    tree = BisectingKMeans(count, init="k-means++", n_init=ATTEMPTS, random_state=seed)
    with threadpool_limits(1):
        found = torch.from_numpy(tree.fit_predict(directions.numpy())).long()
    by_size = found.bincount(minlength=count).argsort(descending=True, stable=True)
    return Clusters(tree, by_size.argsort())


def _directions(vectors: Tensor) -> Float[Tensor, "n c"]:
    return safe_ratio(vectors.double(), vectors.double().norm(dim=1, keepdim=True))
