"""The one search loop of attacks on explanations, blind to norm, objective, attributor and source of gradients."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.types import Ball, Images, Objective
from srd.types import Scores

MOMENTUM = 0.9
JUDGED = 2  # the last iterate and every second before it: each costs a map
LEAST_STEP = 0.02  # relative to the first, which the last of many steps comes near: fine enough to settle

Gradient = Callable[[Images, float], tuple[Images, Scores]]
"""Of what is to increase, at images, given the progress from 0 to 1; with its values there."""

Displace = Callable[[Images, Tensor], Images]
"""Images displaced, inside [0, 1]."""


@dataclass(frozen=True)
class SearchTrace:
    """What one run of the loop found, each row by itself."""

    displacement: Tensor
    highest: tuple[Scores, ...]
    """The best value so far, at the start and after each step."""
    gains: tuple[Scores, ...]
    """The objective at each step."""


@dataclass(frozen=True)
class Ascent:
    """Momentum steps (Dong et al. 2018) of cosine-decaying size, each row keeping its own best iterate.

    A displacement of one row moves all images alike.
    """

    ball: Ball
    gradient: Gradient
    judge: Objective
    """Says which iterate is best: one value for each row of the displacement."""
    displace: Displace
    """What is judged, and returned, of an iterate."""
    steps: int
    relative_step: float
    """Size of the first step in units of the ball's radius."""

    def __call__(self, clean: Images, start: Tensor) -> SearchTrace:
        """The displacement that `judge` values most; that of no size where it values none of them more."""
        displacement, velocity = start, torch.zeros_like(start)
        best = torch.zeros_like(start)
        highest, gains = [self.judge(self.displace(clean, best))], []
        for k in range(self.steps):
            gradient, gain = self.gradient(displace(clean, displacement), k / max(1, self.steps - 1))
            gains.append(gain)
            velocity = MOMENTUM * velocity + _of_mean_size_one(gradient).sum_to_size(start.shape)
            size = self.relative_step * self.ball.epsilon * _decay(k / self.steps)
            displacement = self.ball.project(displacement + size * self.ball.step(velocity))
            highest.append(highest[-1])
            if (self.steps - 1 - k) % JUDGED == 0:
                value = self.judge(self.displace(clean, displacement))
                better = value > highest[-1]
                best = torch.where(better[:, None, None, None], displacement, best)
                highest[-1] = torch.where(better, value, highest[-1])
            if not velocity.any():
                break
        return SearchTrace(best, tuple(highest), tuple(gains))


def displace(clean: Images, displacement: Tensor) -> Images:
    """The displaced images, cut to [0, 1]."""
    return (clean + displacement).clamp(0, 1)


def displace_in_eight_bits(clean: Images, displacement: Tensor) -> Images:
    """The displaced images, every move shortened to whole levels of 1/255: of 8-bit images, 8-bit images."""
    levels = 255 * (displace(clean, displacement) - clean)
    return (clean + (levels + ROUNDING * levels.sign()).trunc() / 255).clamp(0, 1)


ROUNDING = 1e-3  # of a level, by which float32 may fall short of a whole one


def _of_mean_size_one(gradient: Images) -> Images:
    finite = torch.nan_to_num(gradient, posinf=0.0, neginf=0.0)
    return finite / finite.abs().mean((1, 2, 3), keepdim=True).clamp(min=torch.finfo(gradient.dtype).tiny)


def _decay(progress: float) -> float:
    return LEAST_STEP + (1 - LEAST_STEP) * (1 + math.cos(math.pi * progress)) / 2
