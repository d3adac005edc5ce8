"""The results of exploring a layer, as reports read them; nothing here imports torch."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FollowedVectors:
    """The vectors at the drawn positions of an image, under each condition; condition 0 is clean."""

    labels: NDArray[np.int64]
    """The clusters (v, p); NO_CLUSTER for a vector that is 0."""
    relevance: NDArray[np.float64]
    """The relevance (v, p) of the explained class."""


@dataclass(frozen=True)
class VectorSample:
    """The vectors of all images, one after the other."""

    row: NDArray[np.int64]
    position: NDArray[np.int64]
    labels: NDArray[np.int64]
    """The cluster under each condition, (v, p)."""
    relevance: NDArray[np.float64]
    """The relevance under each condition, (v, p)."""
    channels: int

    def strongest(self, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return each image's most relevant vector among the chosen ones, the most relevant first.

        The relevance is that on the clean image.
        """
        of_image = np.flatnonzero(chosen)
        order = of_image[np.argsort(-self.relevance[of_image, 0], kind="stable")]
        _, first = np.unique(self.row[order], return_index=True)
        return order[np.sort(first)]
