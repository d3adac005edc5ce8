"""A method that sums gradients at many points, with its estimate from some of them."""

from dataclasses import dataclass
from typing import Any

from srd.types import Attributor, Maps


@dataclass(frozen=True)
class SampledAttributor:
    """An `Attributor` that searches may replace by its estimate while they look for a direction."""

    whole: Attributor
    estimate: Attributor
    """The same from half of the gradients, at points drawn anew at each call by the `generators`."""

    def __call__(self, *args: Any, **options: Any) -> Maps:
        """Return what the method does."""
        return self.whole(*args, **options)
