"""Sources of gradients for the search loop: differentiation, or queries alone."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch

from attacks.balls import standard_normal
from attacks.types import Images, Objective
from srd.constant_layers import constant_layers
from srd.surrogates import softplus
from srd.types import Generators, Scores

SHARPNESS = (10.0, 100.0)  # softplus beta at the first and the last step (Dombrowski et al. 2019, section 2)

Surrogate = Callable[[float], AbstractContextManager[object]]
"""The context that replaces the network while it is differentiated, given the progress from 0 to 1."""


@dataclass(frozen=True)
class DifferentiatedGradient:
    """The gradient of an objective through a surrogate of the network."""

    objective: Objective
    surrogate: Surrogate

    def __call__(self, images: Images, progress: float) -> tuple[Images, Scores]:
        with torch.enable_grad(), constant_layers(), self.surrogate(progress):
            leaf = images.detach().requires_grad_()
            values = self.objective(leaf)
            (gradient,) = torch.autograd.grad(values.sum(), leaf)
        return gradient, values.detach()

    def value(self, images: Images, progress: float) -> Scores:
        """Return the objective alone."""
        with torch.no_grad(), constant_layers(), self.surrogate(progress):
            return self.objective(images)


@dataclass(frozen=True)
class EstimatedGradient:
    """The gradient from differences of values at random points: NES (Ilyas et al. 2018), antithetic pairs."""

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
    """Return the gradients through softplus in place of ReLU, and through the network as it is."""
    return DifferentiatedGradient(objective, sharpening_softplus), DifferentiatedGradient(objective, without_surrogate)


def without_surrogate(progress: float) -> AbstractContextManager[object]:
    """Return a context that leaves the network as it is."""
    return nullcontext()


def sharpening_softplus(progress: float) -> AbstractContextManager[object]:
    """Return a context with softplus in place of ReLU, which becomes sharper with the progress of the search."""
    first, last = SHARPNESS
    return softplus(first * (last / first) ** progress)
