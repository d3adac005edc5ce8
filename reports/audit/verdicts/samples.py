"""The values that a criterion decides by: one for each image, and why some images have none."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Unit = Literal["image", "re-draw"]


@dataclass(frozen=True)
class Sample:
    """The values of a quantity over the images that it was asked of."""

    values: NDArray[np.float64]
    """Of every image that counts, in the order of the store: 0 or 1 for an outcome.

    An outcome of a method's own map that is constant or not finite has the value that speaks against the method.
    """
    excluded: dict[str, int] = field(default_factory=dict)
    """Reason -> number of images without a value."""
    undefined: dict[str, int] = field(default_factory=dict)
    """Reason -> number of such values."""
    ties: int = 0
    """Number of values that are 0 since both maps are equally like the perturbed one."""

    @property
    def n(self) -> int:
        """Return the number of images that count."""
        return len(self.values)

    @property
    def n_excluded(self) -> int:
        """Return the number of images without a value."""
        return sum(self.excluded.values())

    @property
    def undefined_misses(self) -> int:
        """Return the number of misses since the method's own map is undefined."""
        return sum(self.undefined.values())

    @property
    def reasons(self) -> dict[str, int]:
        """Return how many images are undefined misses or have no value, by reason."""
        return dict(sorted((Counter(self.undefined) + Counter(self.excluded)).items()))

    @property
    def n_asked(self) -> int:
        """Return the number of images that were asked."""
        return self.n + self.n_excluded

    @property
    def unit(self) -> Unit:
        """Return what has a value each."""
        return "image"

    def at_worst(self, worst: float) -> NDArray[np.float64]:
        """Return the values with the worst one for each image that has none."""
        return np.append(self.values, np.full(self.n_excluded, worst))


@dataclass(frozen=True)
class RedrawSample(Sample):
    """The values over re-draws of all weights: each is a mean over images, which all share one re-drawn network."""

    images: int = 0
    """Images that each mean is over; those that are excluded are not among them."""

    @property
    def n_asked(self) -> int:
        """Return the number of images that were asked."""
        return self.images + self.n_excluded

    @property
    def unit(self) -> Unit:
        """Return what has a value each."""
        return "re-draw"

    def at_worst(self, worst: float) -> NDArray[np.float64]:
        """Return the means with the worst value for each image that has none."""
        return np.asarray((self.values * self.images + worst * self.n_excluded) / self.n_asked)
