"""Noise that knows nothing of the network; the controls that every attack has to beat."""

import torch

from attacks.types import Images, Model, Samples
from srd.types import Generators


def gaussian_noise(model: Model, samples: Samples, strength: float, generators: Generators) -> Images:
    """Adds normal noise of standard deviation `strength` to every channel, cut to [0, 1]."""
    return (samples.images + strength * _normal(samples.images, generators)).clamp(0, 1)


def random_sign(model: Model, samples: Samples, strength: float, generators: Generators) -> Images:
    """Moves every channel of every pixel by `strength` up or down at random: the control for L-inf attacks."""
    return (samples.images + strength * _normal(samples.images, generators).sign()).clamp(0, 1)


def _normal(images: Images, generators: Generators) -> Images:
    return torch.stack([torch.randn(images.shape[1:], generator=g) for g in generators]).to(images)
