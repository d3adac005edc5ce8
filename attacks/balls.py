"""Norm balls around an image, cut to [0, 1]."""

from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.types import Images
from srd.types import Generators


@dataclass(frozen=True)
class Linf:
    """Every pixel within `epsilon` of the centre's."""

    epsilon: float

    def project(self, images: Images, centre: Images) -> Images:
        return (centre + (images - centre).clamp(-self.epsilon, self.epsilon)).clamp(0, 1)

    def step(self, gradient: Tensor) -> Tensor:
        return gradient.sign()

    def random_start(self, centre: Images, generators: Generators) -> Images:
        draws = torch.stack([torch.rand(centre.shape[1:], generator=g) for g in generators]).to(centre)
        return self.project(centre + self.epsilon * (2 * draws - 1), centre)
