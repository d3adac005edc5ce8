"""The one search loop of attacks on explanations, blind to norm, objective and attributor."""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.types import Ball, Images, Objective

MOMENTUM = 0.9
LEAST_STEP = 0.02  # relative to the first, which the last of many steps comes near: fine enough to settle


@dataclass(frozen=True)
class Ascent:
    """Momentum steps (Dong et al. 2018) of cosine-decaying size, each image keeping its own best iterate."""

    ball: Ball
    objective: Objective
    """Differentiated, inside `surrogate`."""
    judge: Objective
    """Says which iterate is best, outside of `surrogate`."""
    surrogate: Callable[[float], AbstractContextManager[object]]
    """What to differentiate in place of the network as it is, given the progress from 0 to 1."""
    steps: int
    step_size: float

    def __call__(self, centre: Images, start: Images) -> Images:
        """The iterate of each row that `judge` values most; the centre, where it values none of them more."""
        best, highest = centre, self.judge(centre)
        images, velocity = start, torch.zeros_like(start)
        for k in range(self.steps):
            with self.surrogate(k / max(1, self.steps - 1)):
                gradient = _gradient(self.objective, images)
            velocity = MOMENTUM * velocity + gradient / _mean_size(gradient)
            moved = images + self.step_size * _decay(k / self.steps) * self.ball.step(velocity)
            images = self.ball.project(moved, centre)
            value = self.judge(images)
            better = value > highest
            best = torch.where(better[:, None, None, None], images, best)
            highest = torch.where(better, value, highest)
        return best


def _gradient(objective: Objective, images: Images) -> Images:
    with torch.enable_grad():
        leaf = images.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(objective(leaf).sum(), leaf)
    return torch.nan_to_num(gradient, posinf=0.0, neginf=0.0)


def _mean_size(gradient: Images) -> Tensor:
    tiny = torch.finfo(gradient.dtype).tiny
    return gradient.abs().mean((1, 2, 3), keepdim=True).clamp(min=tiny)


def _decay(progress: float) -> float:
    return LEAST_STEP + (1 - LEAST_STEP) * (1 + math.cos(math.pi * progress)) / 2
