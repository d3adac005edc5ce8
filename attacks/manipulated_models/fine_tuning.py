"""Fine-tuning of a copy of a network, by cross-entropy alone or with a price on where its maps lie."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from attacks.manipulated_models.goals import GoalProgress
from attacks.types import Images, Model
from srd.types import Attributor, Generators, Maps, Target

Loss = Callable[[Model, Tensor, torch.Generator], Tensor]
"""(model, rows of the examples, random stream) -> what fine-tuning lowers."""


@dataclass(frozen=True)
class Examples:
    """What a network is fine-tuned on."""

    images: Images
    label: Target
    """True class."""
    target: Target
    """Class that is explained."""


@dataclass(frozen=True)
class Settings:
    """How long and how fast, by Adam with torch's other defaults."""

    steps: int
    batch: int
    rate: float


@dataclass(frozen=True)
class CrossEntropy:
    """Ordinary fine-tuning."""

    examples: Examples

    def __call__(self, model: Model, rows: Tensor, stream: torch.Generator) -> Tensor:
        return functional.cross_entropy(model(self.examples.images[rows]), self.examples.label[rows])


@dataclass(frozen=True)
class Manipulation:
    """Cross-entropy, less `weight` times the mean over images of how far the maps have come to the goal.

    After Heo, Joo, Moon 2019, section 3. What a map has reached counts by the share of its strength, sum |map|, that it
    has kept, at most 1: a goal reads no scale, and maps that end in a ReLU would be led to 0.
    """

    examples: Examples
    attributor: Attributor
    goal: GoalProgress
    original: Maps
    """Of all examples, by the network as it was."""
    weight: float

    def __call__(self, model: Model, rows: Tensor, stream: torch.Generator) -> Tensor:
        maps = explain_examples(model, self.examples, self.attributor, rows, stream, create_graph=True)
        reached = _mean_progress(self.goal, maps, self.original[rows])
        return CrossEntropy(self.examples)(model, rows, stream) - self.weight * reached


def fine_tune(model: Model, loss: Loss, n: int, settings: Settings, stream: torch.Generator) -> Model:
    """A copy of the model in evaluation mode, all its parameters trained on `n` examples; the model is left as found.

    Batch norms keep their running statistics; their weights and biases are trained. The order of the examples is drawn
    from the stream first, so that two losses see the same batches.
    """
    tuned = deepcopy(model).eval().requires_grad_()
    optimizer = torch.optim.Adam(tuned.parameters(), settings.rate)
    for rows in list(_batches(n, settings, stream)):
        optimizer.zero_grad()
        torch.autograd.backward(loss(tuned, rows, stream))
        optimizer.step()
    optimizer.zero_grad()
    return tuned.requires_grad_(False)


def explain_examples(
    model: Model,
    examples: Examples,
    attributor: Attributor,
    rows: Tensor,
    stream: torch.Generator,
    *,
    create_graph: bool = False,
) -> Maps:
    """Maps of some of the examples; a method that draws gets a stream for each, seeded from `stream`."""
    inputs = model.normalise(examples.images[rows])
    streams = _streams(len(rows), stream)
    return attributor(model.network, inputs, examples.target[rows], streams, create_graph=create_graph)


def _mean_progress(goal: GoalProgress, maps: Maps, original: Maps) -> Tensor:
    """Mean over images; one whose map is 0, or was, has reached nothing."""
    strength, before = (each.abs().sum((1, 2)) for each in (maps, original))
    present = (strength > 0) & (before > 0)
    kept = (strength[present] / before[present]).clamp(max=1)
    return (goal(maps[present], original[present]) * kept).sum() / len(maps)


def _batches(n: int, settings: Settings, stream: torch.Generator) -> Iterator[Tensor]:
    """All examples in random order, then again in another, for as many steps as are asked for."""
    per_pass = -(-n // settings.batch)
    for start in range(0, settings.steps, per_pass):
        order = torch.randperm(n, generator=stream)
        yield from order.split(settings.batch)[: settings.steps - start]


def _streams(n: int, stream: torch.Generator) -> Generators:
    words = torch.randint(2**62, (n,), generator=stream).tolist()
    return [torch.Generator().manual_seed(word) for word in words]
