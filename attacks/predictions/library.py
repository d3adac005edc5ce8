"""Attacks on the prediction, through torchattacks; what comes back is checked, not believed."""

from collections.abc import Callable

import torch
import torchattacks

from attacks.types import Images, Model, Samples
from srd.errors import PerturbationError
from srd.passes import evaluating
from srd.types import Generators

SLACK = 1e-6  # float32 rounding of (centre + epsilon) - centre in [0, 1]


def fgsm(model: Model, samples: Samples, strength: float, generators: Generators) -> Images:
    """One signed gradient step of size `strength` away from the label (Goodfellow, Shlens, Szegedy 2015)."""
    return _attacked(model, torchattacks.FGSM(model, eps=strength), samples, strength, generators)


def pgd(
    model: Model,
    samples: Samples,
    strength: float,
    generators: Generators,
    *,
    steps: int = 10,
    relative_step: float = 0.25,
) -> Images:
    """Projected signed gradient steps away from the label, from a random start in the L-inf ball (Madry et al. 2018).

    A step is `relative_step` times `strength`.
    """
    attack = torchattacks.PGD(model, eps=strength, alpha=relative_step * strength, steps=steps, random_start=True)
    return _attacked(model, attack, samples, strength, generators)


def _attacked(
    model: Model,
    attack: Callable[[Images, torch.Tensor], Images],
    samples: Samples,
    epsilon: float,
    generators: Generators,
) -> Images:
    """Runs the attack on random numbers of the tile's own: torchattacks draws from the global generator."""
    devices = [samples.images.device] if samples.images.is_cuda else []
    with torch.random.fork_rng(devices), evaluating(model):
        torch.manual_seed(int(torch.randint(2**62, (), generator=generators[0])))
        images = attack(samples.images, samples.label).detach()
    _verify(images, samples.images, epsilon, type(attack).__name__)
    return images


def _verify(images: Images, centre: Images, epsilon: float, name: str) -> None:
    if not bool(torch.isfinite(images).all()):
        raise PerturbationError(f"torchattacks.{name} returned values that are not finite")
    size = float((images - centre).abs().max())
    if size > epsilon + SLACK:
        raise PerturbationError(f"torchattacks.{name} moved a pixel by {size:.6g}, more than epsilon {epsilon:.6g}")
    low, high = float(images.min()), float(images.max())
    if low < 0 or high > 1:
        raise PerturbationError(f"torchattacks.{name} left [0, 1]: {low:.6g} to {high:.6g}")
