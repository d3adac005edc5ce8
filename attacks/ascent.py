"""The one search loop of attacks on explanations, blind to norm, objective and attributor."""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager

import torch

from attacks.types import Ball, Images, Objective

MOMENTUM = 0.9
FINAL_STEP = 0.02  # last step relative to the first: the sign no longer matters, the level does


def ascend(
    ball: Ball,
    objective: Objective,
    judge: Objective,
    centre: Images,
    start: Images,
    steps: int,
    step_size: float,
    surrogate: Callable[[float], AbstractContextManager[object]],
) -> Images:
    """The iterate of each row that `judge` values most; the centre, where it values none of them more.

    Momentum steps (Dong et al. 2018) of cosine-decaying size from `start`. `objective` is differentiated inside
    `surrogate(progress)`, progress in [0, 1]; `judge` is asked outside of it.
    """
    best, highest = centre, judge(centre)
    images, velocity = start, torch.zeros_like(start)
    for k in range(steps):
        with surrogate(k / max(1, steps - 1)):
            gradient = _gradient(objective, images)
        velocity = MOMENTUM * velocity + gradient / _mean_size(gradient)
        images = ball.project(images + step_size * _decay(k / steps) * ball.step(velocity), centre)
        value = judge(images)
        better = value > highest
        best = torch.where(better[:, None, None, None], images, best)
        highest = torch.where(better, value, highest)
    return best


def _gradient(objective: Objective, images: Images) -> Images:
    with torch.enable_grad():
        leaf = images.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(objective(leaf).sum(), leaf)
    return torch.nan_to_num(gradient, posinf=0.0, neginf=0.0)


def _mean_size(gradient: Images) -> torch.Tensor:
    tiny = torch.finfo(gradient.dtype).tiny
    return gradient.abs().mean((1, 2, 3), keepdim=True).clamp(min=tiny)


def _decay(progress: float) -> float:
    return FINAL_STEP + (1 - FINAL_STEP) * (1 + math.cos(math.pi * progress)) / 2
