"""What attacks on explanations increase, and what they are judged by."""

from dataclasses import dataclass

import torch
from torch import Tensor

from attacks.types import Images, Model
from srd.metrics.similarity import pearson
from srd.types import Attributor, Logits, Maps, Scores, Target


@dataclass(frozen=True)
class MoveMap:
    """Likeness of the map's strength to that of `wanted`, less a price for changing the prediction.

    After Dombrowski et al. 2019, eq. 5, with the correlation of |maps| in place of their squared distance, so that
    neither the scale of a map nor the number of its pixels weighs the two terms against each other.
    """

    model: Model
    attributor: Attributor
    target: Target
    wanted: Maps
    probabilities: Tensor
    """Of the clean images: (n, classes)."""
    keep: float
    """Price of a squared change of the probabilities."""

    def __call__(self, images: Images) -> Scores:
        maps = self.attributor(self.model.network, self.model.normalise(images), self.target, create_graph=True)
        logits: Logits = self.model(images)
        changed = (logits.softmax(1) - self.probabilities).square().sum(1)
        return pearson(maps.abs(), self.wanted.abs()) - self.keep * changed


@dataclass(frozen=True)
class MovedWithPredictionKept:
    """The same likeness on the network as it is; minus infinity where the predicted class has changed."""

    model: Model
    attributor: Attributor
    target: Target
    wanted: Maps
    predicted: Target

    def __call__(self, images: Images) -> Scores:
        maps = self.attributor(self.model.network, self.model.normalise(images), self.target)
        likeness = pearson(maps.abs(), self.wanted.abs()).nan_to_num(-1.0)
        return torch.where(_predicted(self.model, images) == self.predicted, likeness, -torch.inf)


def _predicted(model: Model, images: Images) -> Target:
    with torch.no_grad():
        logits: Logits = model(images)
    return logits.argmax(1)
