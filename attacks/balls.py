"""Norm balls around an image, cut to [0, 1]."""

from dataclasses import dataclass

from torch import Tensor

from attacks.types import Images


@dataclass(frozen=True)
class Linf:
    """Every pixel within `epsilon` of the centre's."""

    epsilon: float

    def project(self, images: Images, centre: Images) -> Images:
        """Nearest images of the ball that lie in [0, 1]."""
        return (centre + (images - centre).clamp(-self.epsilon, self.epsilon)).clamp(0, 1)

    def step(self, gradient: Tensor) -> Tensor:
        """Signs: every pixel moves as far as any may."""
        return gradient.sign()
