"""Checks of the images that a library returned. A violation is an error, not a result."""

import math

import torch
from torch import Tensor

from attacks.entries import Norm
from attacks.types import Images
from srd.errors import PerturbationError

ROUNDING = 2.0**-22
"""Tolerance of one value in [0, 1].

To subtract the clean value, to cut and to add it back each err by up to 2^-24 in float32.
"""
RELATIVE_ROUNDING = 1e-6
"""Relative tolerance of a radius: libraries sum the squares of an L2 norm in float32."""


def verify(images: Images, clean: Images, norm: Norm | None, radius: float, name: str) -> None:
    """Check that the images are finite, in [0, 1] and within the radius, up to rounding.

    Raises
    ------
    PerturbationError
        They are not.
    """
    if images.shape != clean.shape:
        raise PerturbationError(f"{name} returned images of shape {tuple(images.shape)}, not {tuple(clean.shape)}")
    _refuse(~images.isfinite().flatten(1).all(1), name, "has values that are not finite")
    low, high = images.flatten(1).amin(1), images.flatten(1).amax(1)
    _refuse((low < -ROUNDING) | (high > 1 + ROUNDING), name, "left [0, 1]: {:.9g} to {:.9g}", low, high)
    if norm is not None:
        sizes = _sizes(images - clean, norm)
        allowed = radius * (1 + RELATIVE_ROUNDING) + _slack(images, norm)
        _refuse(sizes > allowed, name, f"moved by {{:.9g}} in {norm}, more than {radius:.9g}", sizes)


def _sizes(moved: Tensor, norm: Norm) -> Tensor:
    order = {"L-inf": math.inf, "L2": 2}[norm]
    sizes: Tensor = torch.linalg.vector_norm(moved.flatten(1), order, dim=1, dtype=torch.float64)
    return sizes


def _slack(images: Images, norm: Norm) -> float:
    return ROUNDING * (math.sqrt(images[0].numel()) if norm == "L2" else 1)


def _refuse(breach: Tensor, name: str, said: str, *numbers: Tensor) -> None:
    if bool(breach.any()):
        row = int(breach.nonzero()[0])
        raise PerturbationError(f"{name}: image {row} of its tile {said.format(*(float(of[row]) for of in numbers))}")
