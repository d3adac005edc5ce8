"""What attacks on explanations increase, and what they are judged by."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from attacks.types import Images, Model
from srd.types import Attributor, Inputs, Logits, Maps, Scores, Target

Goal = Callable[[Maps], Scores]


class Prediction(Protocol):
    """What becomes of the prediction."""

    def cost(self, logits: Logits) -> Scores:
        """What the search pays, differentiable."""
        ...

    def holds(self, logits: Logits) -> Tensor:
        """Whether an iterate may be kept: (n,) bool."""
        ...

    def allows_control(self, logits: Logits) -> Tensor:
        """Whether an image that nobody aimed at the explanation may be compared with: (n,) bool."""
        ...


@dataclass(frozen=True)
class Explainer:
    """Maps and logits of images, from one pass of the network where the attributor makes one of the images."""

    model: Model
    attributor: Attributor
    target: Target

    def __call__(self, images: Images, *, create_graph: bool = False) -> tuple[Maps, Logits]:
        inputs = self.model.normalise(images)
        with _answers_to(inputs, self.model.network) as answers:
            maps = self.attributor(self.model.network, inputs, self.target, create_graph=create_graph)
        if answers:
            return maps, answers[0]
        with torch.set_grad_enabled(create_graph):
            return maps, self.model.network(inputs)

    def maps(self, images: Images) -> Maps:
        return self(images)[0]


@contextmanager
def _answers_to(inputs: Inputs, network: nn.Module) -> Iterator[list[Logits]]:
    """Collects what the network answers to these inputs, or to a copy of them."""
    answers: list[Logits] = []

    def note(_: nn.Module, args: tuple[object, ...], answer: object) -> None:
        read = args[0] if args else None
        if isinstance(read, Tensor) and isinstance(answer, Tensor) and (read is inputs or torch.equal(read, inputs)):
            answers.append(answer)

    hook = network.register_forward_hook(note)
    try:
        yield answers
    finally:
        hook.remove()


@dataclass(frozen=True)
class Gain:
    """What is differentiated: the goal, less what the prediction costs."""

    explainer: Explainer
    goal: Goal
    prediction: Prediction

    def __call__(self, images: Images) -> Scores:
        maps, logits = self.explainer(images, create_graph=torch.is_grad_enabled())
        return self.goal(maps) - self.prediction.cost(logits)


@dataclass(frozen=True)
class Judge:
    """What says which iterate is best: the goal on the network as it is; minus infinity where the prediction is not."""

    explainer: Explainer
    goal: Goal
    prediction: Prediction

    def __call__(self, images: Images) -> Scores:
        maps, logits = self.explainer(images)
        value = self.goal(maps).nan_to_num(-1.0)
        return torch.where(self.prediction.holds(logits.detach()), value, -torch.inf)
