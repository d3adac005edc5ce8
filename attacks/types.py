"""What perturbations are made of."""

from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor, nn

from srd.types import Generators, Inputs, Logits, Scores, Target

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


class Perturbation(Protocol):
    """Images of the same shape, inside [0, 1] and within `strength` of the clean ones where it has one."""

    def __call__(self, model: Model, samples: Samples, strength: float, generators: Generators) -> Images: ...


class Ball(Protocol):
    """The set of images that an attack may use."""

    def project(self, images: Images, centre: Images) -> Images:
        """Nearest image in [0, 1] that lies in the ball around `centre`."""
        ...

    def step(self, gradient: Tensor) -> Tensor:
        """Steepest direction of unit size under the ball's norm."""
        ...


class Objective(Protocol):
    """What an attack increases: images -> one value per row."""

    def __call__(self, images: Images) -> Scores: ...
