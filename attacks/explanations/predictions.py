"""What an attack on an explanation does to the prediction: a prediction_weight while it searches, a condition on what it keeps."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

from srd.types import Logits, Scores

MARGIN = 1.0  # log odds

Kept = Bool[Tensor, " n"]


@dataclass(frozen=True)
class KeepPrediction:
    """The predicted class stays, and no class' probability changes by more than `tolerance`."""

    clean: Logits
    prediction_weight: float
    """Of a squared change of the probabilities (Dombrowski et al. 2019, eq. 5)."""
    tolerance: float

    def cost(self, logits: Logits) -> Scores:
        return self.prediction_weight * self._changes(logits).square().sum(1)

    def holds(self, logits: Logits) -> Kept:
        same = logits.argmax(1) == self.clean.argmax(1)
        return same & (self._changes(logits).abs().amax(1) <= self.tolerance)

    def allows_control(self, logits: Logits) -> Kept:
        """Any: a control that is free to change the prediction is the harder to beat."""
        return torch.ones_like(logits[:, 0], dtype=torch.bool)

    def _changes(self, logits: Logits) -> Tensor:
        return logits.softmax(1) - self.clean.softmax(1)


@dataclass(frozen=True)
class ChangePrediction:
    """The predicted class is any but that of the clean image."""

    clean: Logits
    prediction_weight: float
    """Of each unit of log odds by which the clean image's class leads, or is less than MARGIN behind."""

    def cost(self, logits: Logits) -> Scores:
        predicted = self.clean.argmax(1, keepdim=True)
        own = logits.gather(1, predicted)[:, 0]
        others = logits.scatter(1, predicted, -torch.inf).amax(1)
        return self.prediction_weight * (own - others + MARGIN).clamp(min=0)

    def holds(self, logits: Logits) -> Kept:
        return logits.argmax(1) != self.clean.argmax(1)

    def allows_control(self, logits: Logits) -> Kept:
        """Only what changes the prediction: that nothing happens to a map to which nothing happened is no feat."""
        return self.holds(logits)
