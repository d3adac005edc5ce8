"""What exploring a layer finds, as reports read it; nothing here imports torch."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FollowedVectors:
    """What stands where an image's vectors were drawn, under each entry of the perturbation axis; entry 0 is clean."""

    labels: NDArray[np.int64]
    """Cluster, (v, p); NO_CLUSTER for a vector that is 0."""
    relevance: NDArray[np.float64]
    """Of the class that is explained, (v, p)."""


@dataclass(frozen=True)
class VectorSample:
    """The vectors of all images, one after the other."""

    row: NDArray[np.int64]
    position: NDArray[np.int64]
    labels: NDArray[np.int64]
    """Cluster under each entry of the perturbation axis, (v, p)."""
    relevance: NDArray[np.float64]
    """The same way, (v, p)."""
    channels: int

    def strongest(self, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Of the chosen vectors the most relevant of each image on the clean image, the most relevant first."""
        of_image = np.flatnonzero(chosen)
        order = of_image[np.argsort(-self.relevance[of_image, 0], kind="stable")]
        _, first = np.unique(self.row[order], return_index=True)
        return order[np.sort(first)]
