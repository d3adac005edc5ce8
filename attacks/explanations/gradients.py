"""Where the search loop gets its gradients from: differentiation, or questions alone."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch

from attacks.balls import standard_normal
from attacks.types import Images, Objective
from srd.surrogates import softplus
from srd.types import Generators, Scores

SHARPNESS = (10.0, 100.0)  # softplus beta at the first and the last step (Dombrowski et al. 2019, section 2)

Surrogate = Callable[[float], AbstractContextManager[object]]
"""What is differentiated in place of the network as it is, given the progress from 0 to 1."""


@dataclass(frozen=True)
class DifferentiatedGradient:
    """The gradient of an objective through a surrogate of the network."""

    objective: Objective
    surrogate: Surrogate

    def __call__(self, images: Images, progress: float) -> tuple[Images, Scores]:
        with torch.enable_grad(), self.surrogate(progress):
            leaf = images.detach().requires_grad_()
            values = self.objective(leaf)
            (gradient,) = torch.autograd.grad(values.sum(), leaf)
        return gradient, values.detach()

    def value(self, images: Images, progress: float) -> Scores:
        """The objective alone."""
        with torch.no_grad(), self.surrogate(progress):
            return self.objective(images)


@dataclass(frozen=True)
class EstimatedGradient:
    """The gradient as differences of values at random points show it: NES (Ilyas et al. 2018), antithetic pairs."""

    objective: Objective
    pairs: int
    sigma: float
    """Standard deviation of the random points, pixels in [0, 1]."""
    generators: Generators

    def __call__(self, images: Images, progress: float) -> tuple[Images, Scores]:
        gradient, total = torch.zeros_like(images), torch.zeros_like(images[:, 0, 0, 0])
        with torch.no_grad():
            for _ in range(self.pairs):
                direction = standard_normal(images, self.generators)
                ahead, behind = (self.objective(images + side * self.sigma * direction) for side in (1, -1))
                gradient += (ahead - behind)[:, None, None, None] * direction
                total += ahead + behind
        return gradient / (2 * self.sigma * self.pairs), total / (2 * self.pairs)


def both_ways(objective: Objective) -> tuple[DifferentiatedGradient, DifferentiatedGradient]:
    """Through softplus in place of ReLU, and through the network as it is."""
    return DifferentiatedGradient(objective, sharpening_softplus), DifferentiatedGradient(objective, without_surrogate)


def without_surrogate(progress: float) -> AbstractContextManager[object]:
    """The network itself."""
    return nullcontext()


def sharpening_softplus(progress: float) -> AbstractContextManager[object]:
    """Softplus in place of ReLU, the sharper the further the search has come."""
    first, last = SHARPNESS
    return softplus(first * (last / first) ** progress)
