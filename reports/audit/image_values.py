"""One number for each image, with the reason where it is no measurement."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports import statistics
from reports.result import Estimate
from reports.statistics import SHARE, Values


@dataclass(frozen=True)
class ImageValues:
    """One number for each image of the store, in its order."""

    values: Values
    """NaN where an image is not counted."""
    reasons: tuple[str, ...]
    """For each image, empty if its number was measured; else why it was set, or why there is none."""

    @property
    def counted(self) -> Values:
        """Return the numbers of the images that are counted."""
        return self.values[~np.isnan(self.values)]

    @property
    def excluded(self) -> dict[str, int]:
        """Return how many images are not counted, by reason."""
        return self._counts(np.isnan(self.values))

    @property
    def misses(self) -> dict[str, int]:
        """Return how many outcomes are set to 0 because the method's own map is undefined, by reason."""
        return self._counts(self.values == 0)

    @property
    def granted(self) -> dict[str, int]:
        """Return how many outcomes are set to 1 because the map to be compared with is constant, by reason."""
        return self._counts(self.values == 1)

    def among(self, images: NDArray[np.bool_]) -> "ImageValues":
        """Return the numbers of a set of images, given as a mask."""
        return ImageValues(self.values[images], tuple(np.array(self.reasons, object)[images]))

    def rate(self) -> Estimate:
        """Return the share of outcomes that are 1, with its Wilson interval."""
        return statistics.rate(self.counted == 1, SHARE, self.excluded)

    def mean(self, unit: str) -> Estimate:
        """Return the mean, with its bootstrap interval."""
        return statistics.mean(self.counted, unit, self.excluded)

    def _counts(self, images: NDArray[np.bool_]) -> dict[str, int]:
        reasons = (why for why, is_meant in zip(self.reasons, images, strict=True) if is_meant and why)
        return dict(sorted(Counter(reasons).items()))
