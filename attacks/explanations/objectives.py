"""Objectives of attacks on explanations: what the search increases, and what rates its iterates."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from attacks.types import Images, Model
from srd.types import Attributor, Generators, Inputs, Logits, Maps, Scores, Target


class Goal(Protocol):
    """Rating of maps, higher is better: a dataclass whose tensors have a row for each image."""

    def __call__(self, maps: Maps) -> Scores: ...


class Prediction(Protocol):
    """Cost of the prediction in a search, and a test which predictions are allowed.

    It is a dataclass whose tensors have a row for each image.
    """

    def cost(self, logits: Logits) -> Scores:
        """Return the cost of the prediction for the search, differentiable."""
        ...

    def holds(self, logits: Logits) -> Tensor:
        """Return whether an iterate may be kept: (n,) bool."""
        ...

    def allows_control(self, logits: Logits) -> Tensor:
        """Return whether an image that ignores the explanation is a valid control: (n,) bool."""
        ...


@dataclass(frozen=True)
class Explainer:
    """Maps and logits of images, from one pass of the network where the attributor makes one pass of the images."""

    model: Model
    attributor: Attributor
    target: Target
    generators: Generators | None = None

    def __call__(self, images: Images, *, create_graph: bool = False) -> tuple[Maps, Logits]:
        inputs = self.model.normalise(images)
        with _passes_of(inputs.shape, self.model.network) as passes:
            maps = self.attributor(
                self.model.network, inputs, self.target, generators=self.generators, create_graph=create_graph
            )
        for read, logits in passes:
            if torch.equal(read, inputs):
                return maps, logits
        with torch.set_grad_enabled(create_graph):
            return maps, self.model.network(inputs)

    def maps(self, images: Images) -> Maps:
        return self(images)[0]

    def of_rows(self, rows: Tensor) -> "Explainer":
        """Return the same for some of the rows."""
        drawn = None if self.generators is None else [self.generators[row] for row in rows.tolist()]
        return replace(self, target=self.target[rows], generators=drawn)


@contextmanager
def _passes_of(shape: torch.Size, network: nn.Module) -> Iterator[list[tuple[Inputs, Logits]]]:
    """Collect the first input of this shape that the network reads, and its answer.

    The input is compared with nothing here, because an attributor may intercept every operation of the pass.
    """
    passes: list[tuple[Inputs, Logits]] = []

    def note(_: nn.Module, args: tuple[object, ...], answer: object) -> None:
        read = args[0] if args else None
        if not passes and isinstance(read, Tensor) and isinstance(answer, Tensor) and read.shape == shape:
            passes.append((read, answer))

    hook = network.register_forward_hook(note)
    try:
        yield passes
    finally:
        hook.remove()


@dataclass(frozen=True)
class AttackObjectives:
    """The objectives of an attack on the explanations of a tile: `gain` is differentiated, `judge` rates iterates."""

    explainer: Explainer
    goal: Goal
    prediction: Prediction

    def gain(self, images: Images) -> Scores:
        """Return the goal less the cost of the prediction."""
        maps, logits = self.explainer(images, create_graph=torch.is_grad_enabled())
        return self.goal(maps) - self.prediction.cost(logits)

    def judge(self, images: Images) -> Scores:
        """Return the goal on the network as it is, and -inf where the prediction is not as wanted."""
        maps, logits = self.explainer(images)
        value = self.goal(maps).nan_to_num(-1.0)
        return torch.where(self.prediction.holds(logits.detach()), value, -torch.inf)

    def of_rows(self, rows: Tensor) -> "AttackObjectives":
        """Return the same for some of the rows."""
        return AttackObjectives(
            self.explainer.of_rows(rows), _of_rows(self.goal, rows), _of_rows(self.prediction, rows)
        )


def _of_rows(rated: Any, rows: Tensor) -> Any:
    """Return the dataclass with some rows of its tensors."""
    tensors = {each.name: getattr(rated, each.name) for each in fields(rated)}
    return replace(rated, **{name: value[rows] for name, value in tensors.items() if isinstance(value, Tensor)})
