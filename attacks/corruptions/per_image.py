"""Decorators that turn a change of one image with its own random stream into a perturbation of a tile."""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from attacks.types import Images, Model, Perturbation, Samples
from srd.types import Generators

Image = Float[Tensor, "c h w"]
Level = TypeVar("Level")
LevelledChange = Callable[[Image, Level, Generator], Image]


def each_image(change: LevelledChange[float]) -> Perturbation:
    """Turn `(image, strength, generator) -> image` into a perturbation; strength 0 is the clean image.

    Rows are changed one by one and cut to [0, 1], so that no bit of a row depends on its tile.
    """

    @wraps(change)
    def perturbation(model: Model, samples: Samples, strength: float, generators: Generators) -> Images:
        if strength == 0:
            return samples.images.clone()
        rows = zip(samples.images, generators, strict=True)
        return torch.stack([change(image, strength, generator) for image, generator in rows]).clamp(0, 1)

    return perturbation


def severities(*levels: Level) -> Callable[[LevelledChange[Level]], Perturbation]:
    """Turn `(image, level, generator) -> image` into a perturbation whose strength counts the levels, from 1."""

    def perturbation_of(change: LevelledChange[Level]) -> Perturbation:
        @wraps(change)
        def at_severity(image: Image, severity: float, generator: Generator) -> Image:
            return change(image, levels[int(severity) - 1], generator)

        return each_image(at_severity)

    return perturbation_of


def standard_normal(image: Image, generator: Generator) -> Image:
    """Draw one independent normal value for each value of the image."""
    return torch.randn(image.shape, generator=generator).to(image)
