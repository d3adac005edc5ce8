"""Norm balls of displacements, each with its steepest step and its random points."""

from dataclasses import dataclass

import torch
from torch import Tensor

from srd.types import Generators


@dataclass(frozen=True)
class Linf:
    """Displacements in which no value moves by more than `epsilon`."""

    epsilon: float

    def project(self, displacement: Tensor) -> Tensor:
        """Return the nearest displacement of the ball."""
        return displacement.clamp(-self.epsilon, self.epsilon)

    def step(self, gradient: Tensor) -> Tensor:
        """Return the signs: every value moves as far as any value may."""
        return gradient.sign()

    def sample(self, like: Tensor, generators: Generators) -> Tensor:
        """Draw uniformly distributed displacements, with one generator per row."""
        rows = (torch.rand(like.shape[1:], generator=generator) for generator in generators)
        return self.epsilon * (2 * torch.stack([*rows]).to(like) - 1)


@dataclass(frozen=True)
class L2:
    """Displacements in which no row moves by more than `epsilon` in Euclidean distance over all its values."""

    epsilon: float

    def project(self, displacement: Tensor) -> Tensor:
        """Return the nearest displacement of the ball."""
        return displacement * (self.epsilon / _length(displacement)).clamp(max=1)

    def step(self, gradient: Tensor) -> Tensor:
        """Return the direction of the gradient, with length 1."""
        return gradient / _length(gradient)

    def sample(self, like: Tensor, generators: Generators) -> Tensor:
        """Draw uniformly distributed directions of length `epsilon`, where nearly all of the ball's volume is."""
        return self.epsilon * self.step(standard_normal(like, generators))


def standard_normal(like: Tensor, generators: Generators) -> Tensor:
    """Draw independent normal values in the shape of `like`, with one generator per row."""
    return torch.stack([torch.randn(like.shape[1:], generator=generator) for generator in generators]).to(like)


def _length(rows: Tensor) -> Tensor:
    lengths: Tensor = rows.flatten(1).norm(dim=1).clamp(min=torch.finfo(rows.dtype).tiny)
    return lengths[:, None, None, None]
