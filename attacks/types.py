"""Types of perturbations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor, nn

from srd.copies import copy_of
from srd.eager import eager_passes
from srd.staying_double import run_in_double
from srd.types import Generators, Inputs, Logits, Masks, Scores, Target

Images = Float[Tensor, "n c h w"]
"""Images in [0, 1], as stored; strengths are measured here."""


class Model(nn.Module):
    """A network with the normalisation of its inputs: images in [0, 1] -> logits, differentiable throughout."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(mean)[:, None, None])
        self.register_buffer("std", torch.tensor(std)[:, None, None])

    def normalise(self, images: Images) -> Inputs:
        """Return the inputs of the network."""
        return (images - self.mean) / self.std

    def forward(self, images: Images) -> Logits:
        """Return the logits of an eager pass, as explanations make them: the answer is then the same to the bit."""
        with eager_passes():
            return self.network(self.normalise(images))  # type: ignore[no-any-return]

    def in_double(self) -> "Model":
        """Return a copy in double precision, in which its network stays whatever casts and constants its code holds."""
        model = copy_of(self).double()
        run_in_double(model.network)
        return model

    @property
    def device(self) -> torch.device:
        """Return the device where the network reads its inputs."""
        return self.mean.device

    @property
    def black(self) -> Tensor:
        """Return the black image as the network reads it: (c, 1, 1)."""
        return -self.mean / self.std


@dataclass(frozen=True)
class Samples:
    """A tile of images and what an attack may know of them."""

    images: Images
    label: Target
    """True class."""
    target: Target
    """Explained class."""
    target_images: Images
    """Images of another predicted class, towards whose maps an attack may move."""
    target_images_target: Target
    """Explained class of the target images."""
    masks: Masks | None = None
    """Pixels of the objects, where they are known."""


class Perturbation(Protocol):
    """Returns images of the same shape, inside [0, 1] and within `strength` of the clean ones.

    A perturbation without a strength to choose ignores it.
    """

    def __call__(self, model: Model, samples: Samples, strength: float, generators: Generators) -> Images: ...


@dataclass(frozen=True)
class AttackResult:
    """The images that a search found, and evidence for or against a good search."""

    images: Images
    evidence: Mapping[str, Scores]
    """Values by the names of `attacks.entries.EVIDENCE`; NaN where something was not tried."""


class Ball(Protocol):
    """The displacements that an attack may use: (n, c, h, w), each row by itself."""

    @property
    def epsilon(self) -> float:
        """Return the radius."""
        ...

    def project(self, displacement: Tensor) -> Tensor:
        """Return the nearest displacement of the ball."""
        ...

    def step(self, gradient: Tensor) -> Tensor:
        """Return the steepest direction of unit size under the ball's norm."""
        ...

    def sample(self, like: Tensor, generators: Generators) -> Tensor:
        """Draw random displacements of the ball, with one generator per row."""
        ...


class Objective(Protocol):
    """A quantity that an attack increases: images -> one value per row."""

    def __call__(self, images: Images) -> Scores: ...
