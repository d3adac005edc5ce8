"""The prediction in attacks on explanations: a weight in the search, and a constraint on the iterates that are kept."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

from srd.types import Logits, Scores

MARGIN = 1.0  # in log odds

Kept = Bool[Tensor, " n"]


@dataclass(frozen=True)
class KeepPrediction:
    """The predicted class stays, and no probability changes by more than `tolerance`."""

    clean: Logits
    prediction_weight: float
    """Weight of a squared change of the probabilities (Dombrowski et al. 2019, eq. 5)."""
    tolerance: float

    def cost(self, logits: Logits) -> Scores:
        return self.prediction_weight * self._changes(logits).square().sum(1)

    def holds(self, logits: Logits) -> Kept:
        same = logits.argmax(1) == self.clean.argmax(1)
        return same & (self._changes(logits).abs().amax(1) <= self.tolerance)

    def allows_control(self, logits: Logits) -> Kept:
        """Return true: a control that is free to change the prediction is harder to beat."""
        return torch.ones_like(logits[:, 0], dtype=torch.bool)

    def _changes(self, logits: Logits) -> Tensor:
        return logits.softmax(1) - self.clean.softmax(1)


@dataclass(frozen=True)
class ChangePrediction:
    """The predicted class is any class but that of the clean image."""

    clean: Logits
    prediction_weight: float
    """Weight of each unit of log odds by which the clean image's class leads, or is less than MARGIN behind."""

    def cost(self, logits: Logits) -> Scores:
        predicted = self.clean.argmax(1, keepdim=True)
        own = logits.gather(1, predicted)[:, 0]
        others = logits.scatter(1, predicted, -torch.inf).amax(1)
        return self.prediction_weight * (own - others + MARGIN).clamp(min=0)

    def holds(self, logits: Logits) -> Kept:
        return logits.argmax(1) != self.clean.argmax(1)

    def allows_control(self, logits: Logits) -> Kept:
        """Return whether the control changes the prediction.

        A control to which nothing happens also keeps its map, which is no success.
        """
        return self.holds(logits)
