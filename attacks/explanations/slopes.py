"""The slope of a function of images, by central differences, beside a gradient that is to be it."""

from collections.abc import Sequence

import torch

from attacks.types import Images, Objective
from srd.types import Scores

SMALL_ERROR = 1e-5  # of a gradient: the next length is not tried where all images have less


def slope_error(value: Objective, centre: Images, gradient: Images, noise: Images, nudges: Sequence[float]) -> Scores:
    """Return the relative error of a gradient at a centre, in its precision: the larger of two directions.

    One direction is the gradient itself. The other one is the noise; its slope is measured in units of the mean slope
    of a random direction. The better of the lengths of the differences counts; the next is tried if the one before
    leaves some image an error of SMALL_ERROR or more. The error is infinite where there is no gradient.
    """
    typical = _length(gradient) / centre[0].numel() ** 0.5
    error = torch.full_like(typical, torch.inf)
    for nudge in nudges:
        along, across = (_gap(value, centre, gradient, direction, nudge) for direction in (gradient, noise))
        of_length = torch.maximum(along / _length(gradient), across / typical)
        error = torch.minimum(error, of_length.nan_to_num(torch.inf, posinf=torch.inf))
        if (error < SMALL_ERROR).all():
            break
    return error


def _gap(value: Objective, centre: Images, gradient: Images, along: Images, nudge: float) -> Scores:
    """Return the difference between the slope along a direction and the slope that the gradient predicts."""
    direction = along / _length(along)[:, None, None, None]
    ahead, behind = (value(centre + side * nudge * direction) for side in (1, -1))
    return ((ahead - behind) / (2 * nudge) - (gradient * direction).sum((1, 2, 3))).abs()


def _length(rows: Images) -> Scores:
    length: Scores = rows.flatten(1).norm(dim=1)
    return length
