"""Proof that a network decides by the target's shape alone, so that the masks are the truth about its evidence."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.demo.networks import normalise
from pipeline.demo.shapes import CLASSES, scene

BATCH = 100
LEAST_ACCURACY = 0.98
LARGEST_DROP = 0.01
STANDARD_ERRORS = 3


@dataclass(frozen=True)
class Certificates:
    """Rates of right answers in [0, 1] on n scenes, whole and re-rendered, and what a guess would reach.

    `limit` is chance plus three standard errors at this n: without its target, or without any object, a scene must not
    be answered better than that. Without distractors it may be answered at most one point worse.
    """

    n: int
    chance: float
    limit: float
    accuracy: float
    target_removed: float
    background_only: float
    distractors_away: float

    def checks(self) -> dict[str, bool]:
        """Return whether each certificate holds, by the name of its rate."""
        half_a_scene = 0.5 / self.n  # rates are whole scenes: a drop of just the bound must not fail by rounding
        return {
            "accuracy": self.accuracy >= LEAST_ACCURACY,
            "target_removed": self.target_removed <= self.limit,
            "background_only": self.background_only <= self.limit,
            "distractors_away": self.accuracy - self.distractors_away < LARGEST_DROP + half_a_scene,
        }


@dataclass(frozen=True, slots=True)
class Renderings:
    """Scenes drawn four ways, each a tensor (n, 3, 48, 48) in [0, 1], and their labels (n)."""

    labels: Tensor
    whole: Tensor
    without_target: Tensor
    background: Tensor
    without_distractors: Tensor

    @classmethod
    def draw(cls, seed: int, n: int) -> "Renderings":
        """Draw the first n scenes of `seed`."""
        labels, pictures = [], []
        for each in (scene(seed, index) for index in range(n)):  # each is drawn once, and rendered four ways
            labels.append(each.label)
            pictures.append((each.image, each.without_target(), each.background(), each.without_distractors()))
        ways = (torch.from_numpy(np.stack(way)) for way in zip(*pictures, strict=True))
        return cls(torch.tensor(labels), *ways)


def certify(network: nn.Module, mean: Sequence[float], std: Sequence[float], seed: int, n: int) -> Certificates:
    """Return the certificates of `network`, which reads (picture - mean) / std, on the first n scenes of `seed`."""
    return certify_on(Renderings.draw(seed, n), network, mean, std)


def certify_on(renderings: Renderings, network: nn.Module, mean: Sequence[float], std: Sequence[float]) -> Certificates:
    """Return the same certificates, on scenes drawn before.

    Chance is the largest share that one class has among them.
    """
    n = len(renderings.labels)
    chance = int(renderings.labels.bincount(minlength=len(CLASSES)).max()) / n

    def rate(pictures: Tensor) -> float:
        return accuracy(network, normalise(pictures, mean, std), renderings.labels)

    return Certificates(
        n=n,
        chance=chance,
        limit=chance + STANDARD_ERRORS * sqrt(chance * (1 - chance) / n),
        accuracy=rate(renderings.whole),
        target_removed=rate(renderings.without_target),
        background_only=rate(renderings.background),
        distractors_away=rate(renderings.without_distractors),
    )


def accuracy(network: nn.Module, inputs: Tensor, labels: Tensor) -> float:
    """Return the share of normalised inputs that `network`, in evaluation mode, gives their label.

    Raises
    ------
    ValueError
        If the network is in training mode.
    """
    if network.training:
        raise ValueError("a network in training mode answers by its batch; call network.eval() first")
    device = next(network.parameters()).device
    batches = [inputs[start : start + BATCH] for start in range(0, len(inputs), BATCH)]
    with torch.inference_mode():
        answers = torch.cat([network(batch.to(device)).argmax(1).cpu() for batch in batches])
    return float((answers == labels).double().mean())
