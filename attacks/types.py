"""What perturbations are made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor, nn

from srd.types import Generators, Inputs, Logits, Masks, Scores, Target

Images = Float[Tensor, "n c h w"]
"""Images in [0, 1], as stored; strengths are measured here."""


class Model(nn.Module):
    """A network with the normalisation of its inputs: images in [0, 1] -> logits, differentiable all the way."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(mean)[:, None, None])
        self.register_buffer("std", torch.tensor(std)[:, None, None])

    def normalise(self, images: Images) -> Inputs:
        """What the network reads."""
        return (images - self.mean) / self.std

    def forward(self, images: Images) -> Logits:
        return self.network(self.normalise(images))  # type: ignore[no-any-return]

    @property
    def device(self) -> torch.device:
        """Where the network reads its inputs."""
        return self.mean.device

    @property
    def black(self) -> Tensor:
        """The black image as the network reads it: (c, 1, 1)."""
        return -self.mean / self.std


@dataclass(frozen=True)
class Samples:
    """A tile of images and what an attack may know of them."""

    images: Images
    label: Target
    """True class."""
    target: Target
    """Class that is explained."""
    target_images: Images
    """Images of another predicted class, towards whose maps an attack may move."""
    target_images_target: Target
    """Class that is explained there."""
    masks: Masks | None = None
    """Where the objects are, if that is known."""


class Perturbation(Protocol):
    """Images of the same shape, inside [0, 1] and within `strength` of the clean ones.

    A perturbation without a strength to choose ignores it.
    """

    def __call__(self, model: Model, samples: Samples, strength: float, generators: Generators) -> Images: ...


@dataclass(frozen=True)
class AttackResult:
    """What a search came back with, and what speaks for or against its having searched well."""

    images: Images
    evidence: Mapping[str, Scores]
    """By the names of `attacks.entries.EVIDENCE`; NaN where something was not tried."""


class Ball(Protocol):
    """The displacements that an attack may use: (n, c, h, w), each row by itself."""

    @property
    def epsilon(self) -> float:
        """The radius."""
        ...

    def project(self, displacement: Tensor) -> Tensor:
        """The nearest displacement of the ball."""
        ...

    def step(self, gradient: Tensor) -> Tensor:
        """Steepest direction of unit size under the ball's norm."""
        ...

    def sample(self, like: Tensor, generators: Generators) -> Tensor:
        """Random displacements of the ball, one generator a row."""
        ...


class Objective(Protocol):
    """What an attack increases: images -> one value per row."""

    def __call__(self, images: Images) -> Scores: ...
